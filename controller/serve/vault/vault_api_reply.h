// Making the answers of the Vault-like interface: envelopes, errors, times.
#pragma once

#include "controller/base/json.h"
#include "controller/base/result.h"
#include "controller/serve/vault/vault_api_call.h"

#include <cstdint>
#include <string>

namespace rowlock {

VaultReply reply_with(const Json& data);        // In the envelope's member data.
VaultReply reply_with_auth(const Json& auth);   // In auth.
VaultReply reply_with_whole(const Json& body);  // Without an envelope.
VaultReply reply_without_body();                // 204

// What went wrong, as a status and sentences: a caller's mistake is 400, what is not there 404
// without a word, a sealed store 503.
VaultReply failed(const Error& error);
// 403; an error that is no refusal is as failed() says.
VaultReply denied(const Error& error);
VaultReply refused_with(int status, std::string sentence);
// 429, with the time after which there is more. Requires: a sentence.
VaultReply exceeded(const Quotas::Excess& excess);

// The answer as it goes out. `reply` is used up.
HttpResponse http_response(VaultReply reply);

std::string request_id();  // A random UUID (RFC 9562, version 4).

// RFC 3339 with nine digits after the point, as those who read it are used to.
std::string vault_time(std::int64_t at_ms);
std::string vault_time(const std::optional<std::int64_t>& at_ms);  // Absent: "".

Json json_strings(const std::vector<std::string>& values);

}  // namespace rowlock
