// What `rowlock restore` is told, from a home (restore.cpp) or from a store alone
// (restore_bare.cpp).
#pragma once

#include "controller/cli/backups/bare_store.h"

#include <cstdint>
#include <string>
#include <vector>

namespace rowlock {

struct RestoreOptions {
  std::string policy;             // May be empty with --from.
  std::string backup = "latest";  // Or a name, or a moment in UTC.
  std::string into;               // postgresql://USER@HOST:PORT/NAME
  std::string secret;             // Path of the secret with its password.
  std::string password_file;      // With --from: of its password.
  std::string replaces;           // Name of the database that is put aside.
  bool has_roles = false;
  std::string sections;              // Of before, data, after, with commas between; empty: all.
  std::string search_path;           // "public, app"
  std::vector<std::string> without;  // Names of objects.
  std::vector<std::string> only;
  bool is_single_transaction = false;
  bool keeps_going = false;
  bool lists = false;  // --list: what is there.
  bool has_no_wait = false;
  std::int64_t timeout_ms = 12 * 3'600'000;
  BareStoreOptions bare;
};

// The words of --section.
std::vector<std::string> sections_of(const RestoreOptions& options);

// From a store alone, on a machine that has no home.
Result<int> restore_bare(const Call& call, const RestoreOptions& options);

}  // namespace rowlock
