// Dropping and renaming fail while anybody is connected, and clients come back at once: hence the
// loops that end sessions and try again, a bounded number of times.
#include "controller/adapters/postgres/postgres_server.h"

#include "controller/adapters/postgres/postgres_text.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <utility>

namespace rowlock {

namespace {

constexpr int kFirstForced = 130000;  // DROP DATABASE … WITH (FORCE)
constexpr int kTriesMax = 5;          // Against clients that come back at once.
constexpr char kInUse[] = "55006";
constexpr char kIsThere[] = "42P04";
constexpr char kIsComing[] = "23505";  // Of the index of their names: not committed yet.
constexpr std::size_t kNameBytesMax = 63;

Error rejected(const std::string& what, const std::string& hint) {
  return Error{Fault::rejected, Cause::other, what, hint};
}

Result<> check_name(const std::string& name) {
  if (!name.empty() && name.size() <= kNameBytesMax && name.find('\0') == std::string::npos) {
    return Done{};
  }
  return rejected("'" + postgres_line(name) + "' cannot be a database's name", "use 1 to 63 bytes");
}

// What every cluster has in its folder, and no other one.
std::string identity_in(const std::string& folder) {
  std::ifstream file(folder + "/global/pg_control", std::ios::binary);
  std::int64_t identity = 0;  // As SQL says it.
  char bytes[sizeof identity];
  if (!file.read(bytes, sizeof bytes)) return "";
  std::memcpy(&identity, bytes, sizeof identity);
  return std::to_string(identity);
}

}  // namespace

Result<PostgresServer::Rows> PostgresServer::ask(const std::string& text,
                                                 const std::vector<std::string>& values) {
  auto answer = TRY(values.empty() ? connection_.ask(text) : connection_.ask(text, values));
  if (!answer.is_refused()) return std::move(answer).rows;
  return refusal_error(answer.refusal);
}

Error PostgresServer::refusal_error(const PostgresRefusal& refusal) const {
  Error error = refused(refusal, connection_.user());
  if (error.fault == Fault::rejected) {
    error.hint = refusal.sqlstate == "42501"
                     ? "as a superuser of that server: ALTER ROLE \"" + connection_.user() +
                           "\" CREATEDB, and let it own the database"
                     : "see the server's log";
  }
  return error;
}

Result<std::vector<ServerDatabase>> PostgresServer::list() {
  const auto rows = TRY(ask(
      "SELECT datname, CASE WHEN has_database_privilege(oid, 'CONNECT') "
      "OR pg_has_role('pg_read_all_stats', 'USAGE') THEN pg_database_size(oid) ELSE 0 END "
      "FROM pg_database WHERE NOT datistemplate AND datallowconn ORDER BY datname COLLATE \"C\""));
  std::vector<ServerDatabase> databases;
  for (const PostgresRow& row : rows) {
    databases.push_back({row[0], std::strtoll(row[1].c_str(), nullptr, 10)});
  }
  return databases;
}

Result<bool> PostgresServer::has(const std::string& database) {
  const auto rows = TRY(ask("SELECT 1 FROM pg_database WHERE datname = $1", {database}));
  return !rows.empty();
}

Result<> PostgresServer::create(const std::string& database, const std::string& options) {
  if (const auto named = check_name(database); !named.ok()) return named;
  const auto there = TRY(has(database));
  if (there) {
    return Error{Fault::rejected, Cause::exists,
                 "there is a database called " + postgres_line(database) + " already",
                 "name another one, or drop or rename that"};
  }
  const auto made = TRY(connection_.ask("CREATE DATABASE " + postgres_name(database) +
                                        " WITH TEMPLATE = template0" + options));
  if (!made.is_refused()) return Done{};
  const std::string& sqlstate = made.refusal.sqlstate;
  if (sqlstate == kIsThere || sqlstate == kIsComing) {
    return Error{Fault::transient, Cause::exists,
                 "another session is making a database called " + postgres_line(database), ""};
  }
  Error error = refused(made.refusal, connection_.user());
  error.hint = error.fault == Fault::rejected
                   ? "let that user make databases (ALTER ROLE \"" + connection_.user() +
                         "\" CREATEDB), and let the server's machine have the locale"
                   : "";
  return error;
}

Result<> PostgresServer::drop(const std::string& database) {
  if (const auto named = check_name(database); !named.ok()) return named;
  const bool has_force = connection_.server_version() >= kFirstForced;
  const std::string statement =
      "DROP DATABASE IF EXISTS " + postgres_name(database) + (has_force ? " WITH (FORCE)" : "");
  for (int tries = 1;; ++tries) {
    if (!has_force) {
      if (const auto ended = end_sessions(database); !ended.ok()) return ended;
    }
    const auto dropped = TRY(connection_.ask(statement));
    if (!dropped.is_refused()) return Done{};
    if (dropped.refusal.sqlstate != kInUse || tries == kTriesMax) {
      return refusal_error(dropped.refusal);
    }
  }
}

Result<> PostgresServer::end_sessions(const std::string& database) {
  TRY(
      ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
          "WHERE datname = $1 AND pid <> pg_backend_pid()",
          {database}));
  return Done{};
}

// Both names change in one transaction, so that a call that is cut off has changed both or none.
Result<> PostgresServer::rename(const std::string& from, const std::string& to,
                                const std::string& aside) {
  for (const std::string& name : {from, to, aside.empty() ? to : aside}) {
    if (const auto named = check_name(name); !named.ok()) return named;
  }
  const auto has_from = TRY(has(from));
  const auto has_to = TRY(has(to));
  if (!has_from) {
    if (has_to) return Done{};
    return Error{Fault::rejected, Cause::not_found,
                 "there is no database called " + postgres_line(from), "restore it first"};
  }
  std::vector<std::pair<std::string, std::string>> names = {{from, to}};
  if (has_to) {
    if (aside.empty()) {
      return rejected("there is a database called " + postgres_line(to) + " already",
                      "say what that shall be called, or drop it");
    }
    const auto has_aside = TRY(has(aside));
    if (has_aside) {
      return rejected("there is a database called " + postgres_line(aside) + " already",
                      "drop it or rename it");
    }
    names.insert(names.begin(), {to, aside});
  }
  for (int tries = 1;; ++tries) {
    const auto renamed = rename_all(names);
    if (renamed.ok() || renamed.error().cause == Cause::deadline) return renamed;
    if (renamed.error().fault != Fault::transient || tries == kTriesMax) return renamed;
  }
}

Result<> PostgresServer::rename_all(const std::vector<std::pair<std::string, std::string>>& names) {
  for (const auto& [from, to] : names) {
    if (const auto ended = end_sessions(from); !ended.ok()) return ended;
  }
  Result<Rows> done = ask("BEGIN");
  for (const auto& [from, to] : names) {
    if (done.ok())
      done = ask("ALTER DATABASE " + postgres_name(from) + " RENAME TO " + postgres_name(to));
  }
  if (done.ok()) done = ask("COMMIT");
  if (done.ok()) return Done{};
  const Error error = done.error();
  if (error.cause == Cause::deadline) return error;
  const auto undone = ask("ROLLBACK");
  return undone.ok() ? error : undone.error();
}

// A log that is archived, or kept for a replica, may stay whole. Else checkpoints let go of it; but
// max_wal_size only says when one begins, and what is written while it is under way comes on top.
Result<std::optional<PostgresDisks>> PostgresServer::disks() {
  using Disks = std::optional<PostgresDisks>;
  if (!connection_.is_to_this_machine()) return Disks();
  // A user without the right to see where it is learns nothing.
  const auto told = TRY(connection_.ask(
      "SELECT setting, (SELECT system_identifier FROM pg_control_system()), "
      "2 * pg_size_bytes(current_setting('max_wal_size')) + pg_size_bytes('1GB') "
      "+ COALESCE(pg_size_bytes(current_setting('wal_keep_size', true)), 0), "
      "current_setting('archive_mode') <> 'off' OR EXISTS (SELECT 1 FROM pg_replication_slots) "
      "FROM pg_settings WHERE name = 'data_directory'"));
  if (told.is_refused() || told.rows.empty()) return Disks();
  const PostgresRow& row = told.rows.front();
  // A server in a container has a folder of that name elsewhere.
  if (row[0].empty() || row[1].empty() || identity_in(row[0]) != row[1]) return Disks();
  const std::int64_t most = row[3] == "t" ? std::numeric_limits<std::int64_t>::max()
                                          : std::strtoll(row[2].c_str(), nullptr, 10);
  return Disks(PostgresDisks{row[0], row[0] + "/pg_wal", most});
}

void PostgresServer::checkpoint() { (void)connection_.ask("CHECKPOINT").ok(); }

Result<bool> PostgresServer::is_working_in(const std::string& database, std::int64_t within_ms) {
  const auto rows =
      TRY(ask("SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND application_name = 'rowlock' "
              "AND (state_change > clock_timestamp() - $2::int8 * interval '1 ms' "
              "OR state = 'active' AND wait_event_type IS DISTINCT FROM 'Lock' "
              "AND wait_event_type IS DISTINCT FROM 'Client')",
              {database, std::to_string(within_ms)}));
  return !rows.empty();
}

}  // namespace rowlock
