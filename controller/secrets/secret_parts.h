// What the two halves of SecretStore share: reading (secret_store.cpp) and writing
// (secret_write.cpp).
#pragma once

#include "controller/secrets/secret_store.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace rowlock {

inline Error rejected(std::string message, std::string hint = "") {
  return {Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

inline Error not_found(const std::string& what) {
  return {Fault::rejected, Cause::not_found, what + " does not exist", ""};
}

// A version's seal and its data key open only as that version of that secret.
inline std::string bound_of(std::string_view what, const std::string& path, std::int64_t version) {
  return fmt::format("{}/{}/{}", what, version, path);
}

inline SecretVersion version_of(const Row& row) {
  SecretVersion version{row.integer("version"),
                        row.integer("created_at_ms"),
                        row.text("created_by"),
                        {},
                        row.integer("destroyed") == 1};
  if (!row.is_null("deleted_at_ms")) {
    version.deleted_at_ms = row.integer("deleted_at_ms");
  }
  return version;
}

}  // namespace rowlock
