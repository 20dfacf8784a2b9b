// The verbs of backups: `rowlock backup`, `restore`, `recover` and `recovery-kit`. What each is
// given, one function for each, and how they are added to the command line.
#pragma once

#include "controller/cli/verbs.h"

#include <cstdint>
#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace rowlock {

struct BackupOptions {
  std::string policy;     // Empty: list what there is.
  bool verifies = false;  // --verify: restore and compare the newest one, in place of making one.
  bool has_no_wait = false;  // --no-wait
  std::int64_t timeout_ms = 2 * 3'600'000;
};

// A store that no row speaks of, and what opens it.
struct BareStoreOptions {
  std::string from;      // file:///FOLDER, s3://BUCKET/PREFIX, or one backup in it.
  std::string identity;  // File of age identities.
  std::string endpoint;
  std::string region = "us-east-1";
  bool is_virtual_style = false;
};

struct RestoreOptions {
  std::string policy;             // May be empty with --from.
  std::string backup = "latest";  // Or a name, or a moment in UTC.
  std::string into;               // postgresql://USER@HOST:PORT/NAME
  std::string secret;             // Path of the secret with its password.
  std::string password_file;      // With --from: of its password.
  std::string replaces;           // Name of the database that is put aside.
  bool has_roles = false;
  bool lists = false;  // --list: what is there.
  bool has_no_wait = false;
  std::int64_t timeout_ms = 12 * 3'600'000;
  BareStoreOptions bare;
};

struct RecoverOptions {
  std::string policy = "home";  // The one of kind home.
  std::string backup = "latest";
  BareStoreOptions bare;
};

struct BackupArguments {
  BackupOptions backup;
  RestoreOptions restore;
  RecoverOptions recover;
};

Result<int> backup(const Call& call, const BackupOptions& options);
Result<int> restore(const Call& call, const RestoreOptions& options);
// From a store alone, on a machine that has no home.
Result<int> restore_bare(const Call& call, const RestoreOptions& options);
Result<int> recover(const Call& call, const RecoverOptions& options);
Result<int> recovery_kit(const Call& call);

enum class BackupVerbNeeds { nothing, home, editable_home };
using AddBackupVerb = std::function<CLI::App*(
    CLI::App& under, const char* name, const char* summary, const char* example,
    BackupVerbNeeds needs, std::function<Result<int>(const Call&)> call)>;

// Requires: `arguments` outlives the parser.
void add_backup_verbs(CLI::App& parser, BackupArguments& arguments, const AddBackupVerb& add);

}  // namespace rowlock
