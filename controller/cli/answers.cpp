// What several verbs say alike: whether a controller runs, and rows as a table.
#include "controller/cli/answers.h"

#include "controller/base/disk_room.h"
#include "controller/base/time.h"
#include "controller/store/shell.h"

#include <fmt/format.h>

namespace rowlock {

Result<Table> table_of(Database& database, const std::string& query, const Values& values) {
  auto rows = TRY(database.query(query, values));
  auto columns = TRY(columns_of(database, query));
  return Table{std::move(columns), std::move(rows)};
}

std::string ControllerSight::warning(std::int64_t now_ms) const {
  const std::string age = human_duration(now_ms - seen_at_ms);
  switch (presence) {
    case Presence::runs: return "";
    case Presence::hangs:
      if (is_full) {
        return fmt::format(
            "the disk is full: nothing can be written down, states are {} old; make "
            "room, the controller ({}) goes on by itself",
            age, holder);
      }
      return fmt::format("the controller ({}) has not answered for {}; states are that old", holder,
                         age);
    case Presence::absent: return fmt::format("no controller runs; states are {} old", age);
  }
  UNREACHABLE();
}

Result<ControllerSight> sight_of_controller(const Call& call, Database& state) {
  const auto clock = TRY(state.scalar(call.script("cli.seen_at")));
  ControllerSight sight;
  if (const auto* at_ms = std::get_if<std::int64_t>(&clock)) {
    sight.seen_at_ms = *at_ms;
  }
  sight.holder = HomeLock::holder(call.home);
  const bool is_fresh = system_now_ms() - sight.seen_at_ms <= kStaleMs;
  if (!sight.holder.empty()) {
    sight.is_full = has_no_room(call.home.folder());
    sight.presence = is_fresh && !sight.is_full ? Presence::runs : Presence::hangs;
  }
  return sight;
}

Result<std::int64_t> revision_in_force(const Call& call, Database& state) {
  const auto revision = TRY(state.scalar(call.script("cli.revision")));
  return std::get<std::int64_t>(revision);
}

}  // namespace rowlock
