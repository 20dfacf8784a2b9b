// What the two halves of the key/value interface share: values (vault_api_kv.cpp) and metadata
// (vault_api_kv_metadata.cpp).
#pragma once

#include "controller/serve/vault/vault_api_call.h"

#include <cstdint>
#include <optional>
#include <string>

namespace rowlock {

struct StoredSecret {
  bool is_there = false;
  std::int64_t current_version = 0;
  std::string custom_metadata = "{}";
};

Result<StoredSecret> stored_secret(const VaultParts& parts, const std::string& path);

// Null when there is none.
Json custom_metadata_json(const std::string& text);

// What is not there needs no deleting.
VaultReply done_or_absent(const Result<>& done);

// The refusal of a PATCH that is no JSON merge patch.
std::optional<VaultReply> wrong_patch_type(const VaultCall& call);

}  // namespace rowlock
