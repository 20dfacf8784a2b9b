// Secrets as paths with versions of key/value maps: the semantics of a version 2 key/value engine
// as users of Vault know it, on the tables secret and secret_version. Who may do what is decided
// before (policies.h); every call that succeeds leaves its line in the audit log.
#pragma once

#include "controller/base/json.h"
#include "controller/base/result.h"
#include "controller/secrets/audit.h"
#include "controller/secrets/keyring.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

// Who asks.
struct Actor {
  std::string name;             // For the audit log: "instance web-3", "user 0", "token …".
  std::string policies = "[]";  // A JSON array of their names.
  bool is_operator = false;     // Root, or the user whose home it is: may do everything.
};

struct SecretVersion {
  std::int64_t version = 0;
  std::int64_t created_at_ms = 0;
  std::string created_by;
  std::optional<std::int64_t> deleted_at_ms;  // May be a moment to come.
  bool is_destroyed = false;
};

struct SecretMetadata {
  std::string path;
  std::int64_t current_version = 0;
  std::int64_t oldest_version = 0;
  std::int64_t max_versions = 0;
  bool cas_required = false;
  std::int64_t delete_after_ms = 0;
  std::string custom_metadata = "{}";  // A JSON object.
  std::int64_t created_at_ms = 0;
  std::int64_t updated_at_ms = 0;
  std::vector<SecretVersion> versions;  // By number.
};

struct SecretRead {
  SecretVersion version;
  std::string custom_metadata;
  bool is_live = false;  // Neither deleted nor destroyed.
  SecretBytes data;      // The map as a JSON object; empty unless live.
};

// What is not given stays as it is.
struct SecretSettings {
  std::optional<std::int64_t> max_versions;
  std::optional<bool> cas_required;
  std::optional<std::int64_t> delete_after_ms;
  std::optional<std::string> custom_metadata;  // A JSON object of strings, whole.
};

struct SecretConfig {
  std::int64_t max_versions = 0;
  bool cas_required = false;
  std::int64_t delete_after_ms = 0;
};

class SecretStore {
 public:
  static constexpr std::size_t kPathMax = 512;         // Bytes.
  static constexpr std::size_t kDataMax = 512 * 1024;  // Of one version's JSON.
  static constexpr std::int64_t kVersionsMax = 1000;

  SecretStore(Database& state, const Schema& schema, Keyring& keyring, AuditLog& audit)
      : state_(state), schema_(schema), keyring_(keyring), audit_(audit) {}

  // Of all that follow: within a transaction of the caller's, who must undo it when an error comes
  // back and must not let anything of the answer out before it is committed. Errors are sentences:
  // Fault::rejected is the caller's to mend, with Cause::not_found when there is no such secret or
  // version; closed_error() while the keys are not open.

  // The version named, or the current one (0). One that is deleted or destroyed is returned without
  // its data.
  Result<SecretRead> read(const std::string& path, std::int64_t version, const Actor& actor,
                          std::int64_t now_ms);

  // A new version. `cas`: the version that must be the current one; 0: there must be none.
  Result<SecretVersion> write(const std::string& path, const Json& data,
                              std::optional<std::int64_t> cas, const Actor& actor,
                              std::int64_t now_ms);

  // A new version: the current one with a JSON merge patch (RFC 7396) applied.
  Result<SecretVersion> patch(const std::string& path, const Json& patch,
                              std::optional<std::int64_t> cas, const Actor& actor,
                              std::int64_t now_ms);

  // Of versions; none named: the current one. A version that is not there is passed over. To delete
  // can be undone, to destroy cannot: what an instance holds is not destroyed, the error names the
  // holders.
  Result<> delete_versions(const std::string& path, const std::vector<std::int64_t>& versions,
                           const Actor& actor, std::int64_t now_ms);
  Result<> undelete_versions(const std::string& path, const std::vector<std::int64_t>& versions,
                             const Actor& actor, std::int64_t now_ms);
  Result<> destroy_versions(const std::string& path, const std::vector<std::int64_t>& versions,
                            const Actor& actor, std::int64_t now_ms);
  // The secret with all its versions; the same refusal.
  Result<> remove(const std::string& path, const Actor& actor, std::int64_t now_ms);

  Result<SecretMetadata> metadata(const std::string& path, const Actor& actor, std::int64_t now_ms);
  // Makes the secret, without a version, when it is not there.
  Result<> set_metadata(const std::string& path, const SecretSettings& settings, const Actor& actor,
                        std::int64_t now_ms);

  // What lies directly under a folder ("" or "db/"): names, and folders with a slash at the end,
  // sorted.
  Result<std::vector<std::string>> list(const std::string& folder, const Actor& actor,
                                        std::int64_t now_ms);

  Result<SecretConfig> config();
  Result<> set_config(const SecretSettings& settings, const Actor& actor, std::int64_t now_ms);

  // Wraps every data key by the newest key. Returns how many were wrapped anew.
  Result<std::int64_t> rewrap();

  // Rejected with a sentence unless it is a path: parts of printable characters between single
  // slashes, none at either end, no part "." or "..".
  static Result<> check_path(std::string_view path);

 private:
  Result<SecretMetadata> require_secret(const std::string& path);
  Result<SecretBytes> open_version(const Row& row);
  Result<SecretVersion> write_version(const std::string& path, const Json& data, const Actor& actor,
                                      std::int64_t now_ms);
  Result<> drop_surplus(const std::string& path);
  Result<> check_cas(const SecretMetadata* secret, std::optional<std::int64_t> cas);
  Result<> mark(const std::string& script, const std::string& operation, const std::string& path,
                std::vector<std::int64_t> versions, const Actor& actor, std::int64_t now_ms);
  Result<> check_unused(const std::string& path, const std::vector<std::int64_t>& versions);
  Result<> run(std::string_view script, const Values& values);
  Result<std::vector<Row>> query(std::string_view script, const Values& values);
  Result<std::optional<Row>> first(std::string_view script, const Values& values);

  Database& state_;
  const Schema& schema_;
  Keyring& keyring_;
  AuditLog& audit_;
};

}  // namespace rowlock
