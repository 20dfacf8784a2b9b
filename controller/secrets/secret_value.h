// One text out of the secret store, for Rowlock's own use: a password, a key of a store.
#pragma once

#include "controller/secrets/secrets.h"

#include <cstdint>
#include <string>

namespace rowlock {

// Empty for an empty path. What is read is in the audit log. Requires: a transaction is open.
// Errors say what to put where.
Result<SecretBytes> secret_value(Secrets& secrets, const std::string& path, const std::string& key,
                                 std::int64_t now_ms);

}  // namespace rowlock
