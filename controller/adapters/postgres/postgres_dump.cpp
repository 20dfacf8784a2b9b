// The port, call by call: it connects, says what was attempted when that fails, and hands the work
// to PostgresDumpRun, PostgresRestore or PostgresServer.
#include "controller/adapters/postgres/postgres_dump.h"

#include "controller/adapters/postgres/postgres_content.h"
#include "controller/adapters/postgres/postgres_dump_run.h"
#include "controller/adapters/postgres/postgres_restore.h"
#include "controller/adapters/postgres/postgres_scratch.h"
#include "controller/adapters/postgres/postgres_server.h"
#include "controller/adapters/postgres/postgres_text.h"

#include <chrono>
#include <utility>

namespace rowlock {

namespace {

// A restored database has nobody else at work in it, who could be slowed down.
constexpr int kHelpers = 2;
constexpr std::int64_t kCallMs = 7 * 86'400'000LL;  // No database takes longer to read.

Error attempted(const std::string& attempt, Error error) {
  error.message = attempt + ": " + error.message;
  return error;
}

// The engineer's question means the names that their own sessions mean.
Result<std::string> answer_of(PostgresConnection& connection, const std::string& query) {
  for (const std::string& statement : {std::string("SET search_path TO DEFAULT"),
                                       std::string("SET default_transaction_read_only = on"),
                                       std::string("BEGIN TRANSACTION READ ONLY"), query}) {
    const auto answer = TRY(connection.ask_one(statement));
    if (answer.is_refused()) {
      Error error = refused(answer.refusal, connection.user());
      if (error.fault == Fault::rejected) error.hint = "correct the query";
      return error;
    }
    const std::vector<PostgresRow>& rows = answer.rows;  // Of the question alone.
    if (!rows.empty() && !rows.front().empty()) return rows.front().front();
  }
  return std::string();
}

}  // namespace

PostgresDumps::PostgresDumps(PostgresDumpLimits limits) : limits_(std::move(limits)) {
  forget_libpq_environment();
}

Result<DumpFacts> PostgresDumps::dump(const PostgresAddress& database, int jobs,
                                      MemberWriter& members, const std::atomic<bool>& ending,
                                      const TellWait& waits) {
  const auto began = std::chrono::steady_clock::now();
  PostgresDumpRun run(limits_, database, jobs, members, ending, waits);
  auto result = run.run();
  if (!result.ok()) return attempted("dump " + run.place(), result.error());
  DumpFacts facts = std::move(result).value();
  facts.dump_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                      std::chrono::steady_clock::now() - began)
                      .count();
  return facts;
}

Result<DatabaseFacts> PostgresDumps::facts(const PostgresAddress& database,
                                           const std::atomic<bool>& ending) {
  const auto opened = PostgresConnection::open(
      database, {limits_.connect_ms, limits_.stall_ms, kCallMs}, [&] { return ending.load(); });
  if (!opened.ok()) return attempted("read a database", opened.error());
  const std::string attempt = "read the database " + opened.value()->place();
  PostgresContent content(*opened.value());
  const auto begun = content.begin(kHelpers);
  if (!begun.ok()) return attempted(attempt, begun.error());
  auto result = content.read();
  if (!result.ok()) return attempted(attempt, result.error());
  return result;
}

Result<RestoredDump> PostgresDumps::restore(const RestoreOrder& order, const std::string& globals,
                                            const DumpSource& dump,
                                            const std::atomic<bool>& ending) {
  auto restored = PostgresRestore(limits_, order, globals, dump, ending).run();
  if (restored.ok()) return restored;
  return attempted("restore the database " + postgres_line(order.database), restored.error());
}

// ---- The server as a whole ---------------------------------------------------------------------

template <typename Act>
auto PostgresDumps::connected(const PostgresAddress& server, const std::string& attempt, Act act)
    -> decltype(act(std::declval<PostgresConnection&>())) {
  const auto opened = PostgresConnection::open(
      server, {limits_.connect_ms, limits_.statement_ms, 4 * limits_.statement_ms});
  if (!opened.ok()) return attempted(attempt, opened.error());
  auto result = act(*opened.value());
  if (result.ok()) return result;
  return attempted(attempt + ": " + opened.value()->place(), result.error());
}

Result<std::vector<ServerDatabase>> PostgresDumps::list(const PostgresAddress& server) {
  return connected(server, "list the databases", [](PostgresConnection& connection) {
    return PostgresServer(connection).list();
  });
}

Result<std::optional<ServerRoom>> PostgresDumps::room(const PostgresAddress& server) {
  const auto disks = TRY(connected(server, "look for room", [](PostgresConnection& connection) {
    return PostgresServer(connection).disks();
  }));
  return disks ? disks->room() : std::nullopt;
}

Result<std::unique_ptr<ScratchServer>> PostgresDumps::scratch(const ScratchOrder& order,
                                                              const std::atomic<bool>& ending) {
  auto started = PostgresScratch::start(limits_, order, ending);
  if (started.ok()) return std::unique_ptr<ScratchServer>(std::move(started).value());
  return attempted("start a server to restore into", started.error());
}

Result<> PostgresDumps::drop(const PostgresAddress& server, const std::string& database) {
  return connected(
      server, "drop the database " + postgres_line(database),
      [&](PostgresConnection& connection) { return PostgresServer(connection).drop(database); });
}

Result<> PostgresDumps::rename(const PostgresAddress& server, const std::string& from,
                               const std::string& to, const std::string& aside) {
  return connected(server,
                   "rename the database " + postgres_line(from) + " to " + postgres_line(to),
                   [&](PostgresConnection& connection) {
                     return PostgresServer(connection).rename(from, to, aside);
                   });
}

Result<std::string> PostgresDumps::ask(const PostgresAddress& database, const std::string& query) {
  return connected(database, "ask the database",
                   [&](PostgresConnection& connection) { return answer_of(connection, query); });
}

}  // namespace rowlock
