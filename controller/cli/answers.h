// What several verbs ask of the databases: rows as a table, what is known of the controller, the
// revision in force.
#pragma once

#include "controller/cli/call.h"
#include "controller/cli/terminal/table.h"

#include <cstdint>
#include <string>

namespace rowlock {

// The rows of a query with its columns, which a Table has even when no row is found.
Result<Table> table_of(Database& database, const std::string& query, const Values& values = {});

// The clock row is written every few seconds; older than this, nobody looks any more.
constexpr std::int64_t kStaleMs = 15'000;

enum class Presence {
  runs,
  hangs,  // A process holds the lock, but has not written the clock for kStaleMs, or cannot.
  absent,
};

struct ControllerSight {
  Presence presence = Presence::absent;
  std::int64_t seen_at_ms = 0;  // The last moment that it wrote.
  std::string holder;           // "process 4711, since …"
  bool is_full = false;         // The disk has no room: nothing can be written down.

  bool is_old() const { return presence != Presence::runs; }
  // "no controller runs; states are 3 min old", or "" when all is well.
  std::string warning(std::int64_t now_ms) const;
};

// `state` is state.db, or has it attached.
Result<ControllerSight> sight_of_controller(const Call& call, Database& state);

// The number of the last accepted revision; 0: none yet.
Result<std::int64_t> revision_in_force(const Call& call, Database& state);

}  // namespace rowlock
