// The home as a verb finds it: its databases opened, with errors that tell a missing home from a
// missing permission, and what is known of the controller.
#pragma once

#include "controller/cli/verbs.h"

#include <cstdint>
#include <optional>
#include <string>

namespace rowlock {

// The clock row is written every few seconds; older than this, nobody looks any more.
constexpr std::int64_t kStaleMs = 15'000;

struct Failure {
  int exit_code;
  Error error;
};

// What keeps this user from using the home: none there, or no permission. `edits` asks whether
// desired.db may be written; without it, only state.db has to be there.
std::optional<Failure> obstacle_at(const Home& home, bool edits);

// state.db for reading, desired.db with the views of an edit. What cannot be opened is an error
// that ends in kExitConfiguration, unless trying again may help.
Result<Database> opened_state(const Call& call);
Result<Database> opened_for_what_if(const Call& call);

enum class Presence {
  runs,
  hangs,  // A process holds the lock, but has not written the clock for kStaleMs.
  absent,
};

struct ControllerSight {
  Presence presence = Presence::absent;
  std::int64_t seen_at_ms = 0;  // The last moment that it wrote.
  std::string holder;           // "process 4711, since …"

  bool is_old() const { return presence != Presence::runs; }
  // "no controller runs; states are 3 min old", or "" when all is well.
  std::string warning(std::int64_t now_ms) const;
};

// `state` is state.db, or has it attached.
Result<ControllerSight> sight_of_controller(const Home& home, Database& state);

// The rows of a query with its columns, which a Table has even when no row is found.
Result<Table> table_of(Database& database, const std::vector<std::string>& columns,
                       const std::string& rest, const Values& values = {});

// Steps that only look at the world or wait change nothing in it: a condition on `plan`.
extern const char* const kStepChanges;

// The number of the last accepted revision; 0: none yet.
Result<std::int64_t> revision_in_force(Database& state);

}  // namespace rowlock
