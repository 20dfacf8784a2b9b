// One text out of the secret store, for Rowlock's own use: a password, a key of a store.
#pragma once

#include "controller/secrets/secrets.h"

#include <cstdint>
#include <memory>
#include <string>

namespace rowlock {

// Null for an empty path. What is read is in the audit log. Requires: a transaction is open.
// Errors say what to put where.
Result<std::shared_ptr<const SecretBytes>> secret_value(Secrets& secrets, const std::string& path,
                                                        const std::string& key,
                                                        std::int64_t now_ms);

// The same, where the columns NAME_secret and NAME_key of a row say it is.
Result<std::shared_ptr<const SecretBytes>> secret_of(Secrets& secrets, const Row& row,
                                                     const std::string& name, std::int64_t now_ms);

}  // namespace rowlock
