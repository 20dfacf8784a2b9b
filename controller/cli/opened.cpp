// SQLite says "unable to open" for many reasons. Here the files are looked at first, so that the
// error names the one that holds: no home, no permission, or a file that is none.
#include "controller/cli/opened.h"

#include "controller/base/time.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace rowlock {
namespace {

Failure no_permission(const std::string& path) {
  return {kExitPermission,
          {Fault::rejected, Cause::other, fmt::format("{}: {}", path, std::strerror(errno)),
           "run this as the user or as a member of the group that owns the home"}};
}

// A file that is there but cannot be used is not the fault of what was asked.
Error as_configuration(Error error) {
  if (error.fault == Fault::rejected) {
    error.fault = Fault::broken;
  }
  return error;
}

}  // namespace

const char* const kStepChanges = "step NOT IN ('wait', 'look', 'observe')";

std::optional<Failure> obstacle_at(const Home& home, bool edits) {
  if (access(home.folder().c_str(), R_OK | X_OK) != 0 && errno == EACCES) {
    return no_permission(home.folder());
  }
  if (access(home.state_path().c_str(), R_OK) != 0) {
    if (errno == EACCES) {
      return no_permission(home.state_path());
    }
    return Failure{
        kExitConfiguration,
        {Fault::rejected, Cause::not_found, fmt::format("there is no home in {}", home.folder()),
         fmt::format("make one with `rowlock init --home {}`, or name another with "
                     "--home or ROWLOCK_HOME",
                     home.folder())}};
  }
  if (edits && access(home.desired_path().c_str(), R_OK | W_OK) != 0 &&
      (errno == EACCES || errno == EROFS)) {
    return no_permission(home.desired_path());
  }
  return std::nullopt;
}

Result<Database> opened_state(const Call& call) {
  auto opened = open_state_for_reading(call.home, call.schema);
  return opened.ok() ? std::move(opened) : as_configuration(opened.error());
}

Result<Database> opened_for_what_if(const Call& call) {
  auto opened = open_for_what_if(call.home, call.schema);
  if (opened.ok()) {
    return opened;
  }
  Error error = as_configuration(opened.error());
  if (access(call.home.desired_path().c_str(), F_OK) != 0) {
    error.message = call.home.desired_path() + " is not there";
    error.hint = "put it back, or make it anew from the rows in force: `rowlock revert --all`";
  }
  return error;
}

std::string ControllerSight::warning(std::int64_t now_ms) const {
  const std::string age = human_duration(now_ms - seen_at_ms);
  switch (presence) {
    case Presence::runs: return "";
    case Presence::hangs:
      return fmt::format("the controller ({}) has not answered for {}; states are that old", holder,
                         age);
    case Presence::absent: return fmt::format("no controller runs; states are {} old", age);
  }
  UNREACHABLE();
}

Result<ControllerSight> sight_of_controller(const Home& home, Database& state) {
  const auto clock = TRY(state.scalar("SELECT now_ms FROM clock"));
  ControllerSight sight;
  if (const auto* at_ms = std::get_if<std::int64_t>(&clock)) {
    sight.seen_at_ms = *at_ms;
  }
  sight.holder = HomeLock::holder(home);
  const bool is_fresh = system_now_ms() - sight.seen_at_ms <= kStaleMs;
  if (!sight.holder.empty()) {
    sight.presence = is_fresh ? Presence::runs : Presence::hangs;
  }
  return sight;
}

Result<Table> table_of(Database& database, const std::vector<std::string>& columns,
                       const std::string& rest, const Values& values) {
  auto rows =
      TRY(database.query(fmt::format("SELECT {} {}", fmt::join(columns, ", "), rest), values));
  return Table{columns, std::move(rows)};
}

Result<std::int64_t> revision_in_force(Database& state) {
  const auto revision = TRY(state.scalar("SELECT COALESCE(max(id), 0) FROM revision"));
  return std::get<std::int64_t>(revision);
}

}  // namespace rowlock
