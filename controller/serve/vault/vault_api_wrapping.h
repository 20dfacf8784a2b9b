// Wrapping: instead of an answer its receiver is handed a token that fetches it, once. Whoever
// finds it used up knows that somebody else has read it.
#pragma once

#include "controller/serve/vault/vault_api_call.h"

#include <cstdint>
#include <optional>
#include <string>

namespace rowlock {

// For how long the asker wants the answer wrapped (header X-Vault-Wrap-TTL); absent: not at all.
Result<std::optional<std::int64_t>> wished_wrapping(const HttpRequest& request);

// The answer to `path`, wrapped. `reply` is used up.
VaultReply wrapped(const VaultParts& parts, const VaultCall& call, const std::string& path,
                   VaultReply reply, std::int64_t ttl_ms);

}  // namespace rowlock
