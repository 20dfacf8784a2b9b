// The verbs of the secret store: `rowlock secret …`, `rowlock token …`, `rowlock audit …`. What
// each is given, one function for each, and how they are added to the command line. All but a few
// ask the controller (controller_client.h).
#pragma once

#include "controller/cli/verbs.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace rowlock {

// How the unseal key is to be kept, of `init` and `rekey`.
struct SealOptions {
  std::int64_t shares = 5;
  std::int64_t threshold = 3;
  std::string key_file;                     // Empty: none.
  std::vector<std::string> age_recipients;  // None: no HOME/unseal.age.
};
struct UnsealOptions {
  std::string key_file;  // Empty: from stdin.
  bool resets = false;   // Drop the shares given so far.
};
struct SecretStatusOptions {
  bool wants_exit_code = false;
};
struct SecretPutOptions {
  std::string path;
  std::vector<std::string> values;   // KEY, KEY=-, KEY=@FILE
  std::vector<std::string> removed;  // Keys; of `patch` alone.
  std::optional<std::int64_t> cas;
  bool is_json = false;  // The whole map as JSON from stdin.
};
struct SecretGetOptions {
  std::string path;
  std::string key;           // Empty: all.
  std::int64_t version = 0;  // 0: the newest.
};
struct SecretListOptions {
  std::string folder;
};
struct SecretVersionsOptions {
  std::string path;
  std::vector<std::int64_t> versions;
  bool is_agreed = false;  // --yes
};
struct SecretMetadataOptions {
  std::string path;
  std::optional<std::int64_t> max_versions;
  std::optional<bool> cas_required;
  std::optional<std::int64_t> delete_after_ms;
  std::vector<std::string> set;    // KEY=VALUE; not secret.
  std::vector<std::string> unset;  // Keys.
};
struct ImportOptions {
  std::string file;              // Of a dotenv file,
  std::string path;              // and where its map goes.
  std::string mount = "secret";  // Of Vault.
  std::string prefix;
  bool overwrites = false;
  bool is_dry_run = false;
};
struct TokenCreateOptions {
  std::vector<std::string> policies;
  std::int64_t ttl_ms = 8 * 3'600'000;
  std::string name;
  std::int64_t uses = 0;  // 0: any number.
};
struct TokenRevokeOptions {
  std::string accessor;
};
struct AuditOptions {
  std::int64_t limit = 50;
};

// Everything above, for the parser to write into.
struct SecretArguments {
  SealOptions seal;
  UnsealOptions unseal;
  SecretStatusOptions status;
  SecretPutOptions put;
  SecretGetOptions get;
  SecretListOptions list;
  SecretVersionsOptions versions;
  SecretMetadataOptions metadata;
  ImportOptions import;
  TokenCreateOptions token;
  TokenRevokeOptions revoke;
  AuditOptions audit;
};

// In secret_seal.cpp and secret_status.cpp.
Result<int> secret_init(const Call& call, const SealOptions& options);
Result<int> secret_rekey(const Call& call, const SealOptions& options);
Result<int> secret_unseal(const Call& call, const UnsealOptions& options);
Result<int> secret_seal(const Call& call);
Result<int> secret_rotate(const Call& call);
Result<int> secret_status(const Call& call, const SecretStatusOptions& options);

// In secret_put.cpp and secret_get.cpp.
Result<int> secret_put(const Call& call, const SecretPutOptions& options);
Result<int> secret_patch(const Call& call, const SecretPutOptions& options);
Result<int> secret_get(const Call& call, const SecretGetOptions& options);
Result<int> secret_list(const Call& call, const SecretListOptions& options);

// In secret_versions.cpp.
Result<int> secret_versions(const Call& call, const SecretVersionsOptions& options);
Result<int> secret_delete(const Call& call, const SecretVersionsOptions& options);
Result<int> secret_undelete(const Call& call, const SecretVersionsOptions& options);
Result<int> secret_destroy(const Call& call, const SecretVersionsOptions& options);
Result<int> secret_remove(const Call& call, const SecretVersionsOptions& options);
Result<int> secret_metadata(const Call& call, const SecretMetadataOptions& options);

// In secret_import.cpp.
Result<int> secret_import_dotenv(const Call& call, const ImportOptions& options);
Result<int> secret_import_vault(const Call& call, const ImportOptions& options);

// In token.cpp and audit.cpp.
Result<int> token_create(const Call& call, const TokenCreateOptions& options);
Result<int> token_list(const Call& call);
Result<int> token_revoke(const Call& call, const TokenRevokeOptions& options);
Result<int> audit(const Call& call, const AuditOptions& options);
Result<int> audit_verify(const Call& call);

// How the command line takes a verb in: under which parser, its name, what it does, an example,
// whether it reads the home's own files, and what it calls; without a call it only holds others.
// Gives back the verb's parser.
using AddVerb = std::function<CLI::App*(CLI::App& under, const char* name, const char* summary,
                                        const char* example, bool reads_home,
                                        std::function<Result<int>(const Call&)> call)>;

// Adds the three families. Requires: `arguments` outlives the parsers.
void add_secret_verbs(CLI::App& parser, SecretArguments& arguments, const AddVerb& add);

}  // namespace rowlock
