// What can be had from one store on, on a machine that has lost its home: the backups in it, and
// those in the stores where its pointer says that the home's newest ones are
// (schema/backups/home_pointer.sql).
#pragma once

#include "controller/cli/backups/bare_store.h"

#include <atomic>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

struct SeenBackup {
  BareStoreOptions at;  // The store that it is in.
  FoundBackup found;
  bool is_of_home = false;
  std::vector<std::string> recipients;  // Who opens it, as far as its store says.
};

// A newer backup of the home that a pointer names, in a store that cannot be read.
struct MissedBackup {
  std::string name;
  BareStoreOptions at;
  std::string home;  // Its id.
  Error why;
};

struct HomeSearch {
  std::vector<SeenBackup> backups;     // Newest first.
  std::optional<MissedBackup> missed;  // The newest of those that are newer than all seen ones.

  std::vector<SeenBackup> of_home() const;
};

// `policy`: the one of kind home; empty: `home`, and what the pointers say. Rejected when the store
// cannot be read, and when it holds backups of several homes.
Result<HomeSearch> search_home(const BareStoreOptions& from, const std::string& policy,
                               const std::atomic<bool>& ending);

}  // namespace rowlock
