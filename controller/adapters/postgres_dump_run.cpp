#include "controller/adapters/postgres_dump_run.h"

#include "controller/adapters/postgres_text.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace rowlock {

namespace {

constexpr int kVersionsOfAMajor = 10000;
constexpr std::int64_t kCallMs = 7 * 86'400'000LL;  // No dump takes longer.
// This session has all tables by then, so that there is not much to wait for.
constexpr std::int64_t kLockMs = 3000;
constexpr int kTriesMax = 5;

}  // namespace

PostgresDumpRun::PostgresDumpRun(const PostgresDumpLimits& limits, const PostgresAddress& address,
                                 MemberWriter& members, const std::atomic<bool>& ending)
    : limits_(limits), address_(address), members_(members), caller_ends_(ending) {}

Result<DumpFacts> PostgresDumpRun::run() {
  if (const auto prepared = prepare(); !prepared.ok()) return prepared.error();
  Result<DatabaseFacts> content = dump_once();
  for (int tries = 1; !content.ok() && tries < kTriesMax && is_in_somebodys_way(); ++tries) {
    ending_ = false;
    if (const auto connected = connect(); !connected.ok()) return connected.error();
    content = dump_once();
  }
  if (!content.ok()) return content.error();
  if (const auto closed = members_.end(); !closed.ok()) return closed.error();
  DumpFacts facts{std::move(content).value(), pg_dump_.version, dump_bytes_};
  correct_sequences(facts.content);
  return facts;
}

Result<> PostgresDumpRun::prepare() {
  auto server = connection_text(address_.url, "");
  if (!server.ok()) return server.error();
  server_ = std::move(server).value();
  if (const auto connected = connect(); !connected.ok()) return connected;
  const int major = connection_->server_version() / kVersionsOfAMajor;
  const std::vector<std::string> folders =
      limits_.folders.empty() ? postgres_folders() : limits_.folders;
  for (const auto& [name, program] :
       {std::pair("pg_dump", &pg_dump_), std::pair("pg_dumpall", &pg_dumpall_)}) {
    auto found = postgres_program(name, major, folders);
    if (!found.ok()) return found.error();
    *program = std::move(found).value();
  }
  const auto asked =
      connection_->ask("SELECT has_table_privilege('pg_authid', 'SELECT'), current_database()");
  if (!asked.ok()) return asked.error();
  if (asked.value().is_refused()) return refused(asked.value().refusal, connection_->user());
  may_read_passwords_ = asked.value().rows.front()[0] == "t";
  database_ = asked.value().rows.front()[1];
  return Done{};
}

Result<> PostgresDumpRun::connect() {
  auto opened = PostgresConnection::open(address_, {limits_.connect_ms, limits_.stall_ms, kCallMs},
                                         [this] { return ending_ || caller_ends_; });
  if (!opened.ok()) return opened.error();
  connection_ = std::move(opened).value();
  content_ = std::make_unique<PostgresContent>(*connection_);
  return Done{};
}

Result<DatabaseFacts> PostgresDumpRun::dump_once() {
  if (const auto begun = content_->begin(); !begun.ok()) return begun.error();
  const auto snapshot = content_->export_snapshot();
  if (!snapshot.ok()) return snapshot.error();
  Result<DatabaseFacts> content = DatabaseFacts{};
  bool has_content_failed_first = false;
  std::thread reader([&] {
    if (limits_.reads_content) content = content_->read();
    if (!content.ok()) has_content_failed_first = !ending_.exchange(true);
  });
  const auto dumped = write_members(snapshot.value());
  if (!dumped.ok()) ending_ = true;
  reader.join();
  if (!dumped.ok() && !has_content_failed_first) return dumped.error();
  return content;
}

// Whoever wants a table for itself waits for this session, and pg_dump, which came later, waits
// behind them: nobody gets on. Nothing has been written then, and once they have had their turn, it
// can be begun anew.
bool PostgresDumpRun::is_in_somebodys_way() const {
  if (!has_globals_ || dump_bytes_ > 0 || caller_ends_) return false;
  const auto opened =
      PostgresConnection::open(address_, {limits_.connect_ms, limits_.stall_ms, kCallMs},
                               [this] { return caller_ends_.load(); });
  if (!opened.ok()) return false;
  const auto waiting = opened.value()->ask(
      "SELECT 1 FROM pg_locks WHERE NOT granted AND $1::int = ANY (pg_blocking_pids(pid)) LIMIT 1",
      {std::to_string(connection_->session())});
  return waiting.ok() && !waiting.value().rows.empty();
}

std::vector<std::string> PostgresDumpRun::command(const PostgresProgram& program) const {
  return {program.path, "--no-password", "--dbname=" + server_};
}

Result<> PostgresDumpRun::write_members(const std::string& snapshot) {
  if (!has_globals_) {
    if (const auto dumped = dump_globals(); !dumped.ok()) return dumped;
    if (const auto begun = members_.begin("dump", -1); !begun.ok()) return begun;
    has_globals_ = true;
  }
  return dump_database(snapshot);
}

Result<> PostgresDumpRun::dump_globals() {
  std::vector<std::string> words = command(pg_dumpall_);
  words.insert(words.end(), {"--globals-only", "--database=" + database_});
  if (!may_read_passwords_) words.push_back("--no-role-passwords");
  if (const auto begun = members_.begin("globals.sql", -1); !begun.ok()) return begun;
  std::int64_t bytes = 0;
  if (const auto passed = pass_on(words, bytes, nullptr); !passed.ok()) return passed;
  return members_.end();
}

Result<> PostgresDumpRun::dump_database(const std::string& snapshot) {
  std::vector<std::string> words = command(pg_dump_);
  words.insert(words.end(),
               {"--format=custom", "--compress=0", "--snapshot=" + snapshot,
                "--lock-wait-timeout=" + std::to_string(std::min(limits_.stall_ms, kLockMs))});
  return pass_on(words, dump_bytes_, &archive_);
}

Result<> PostgresDumpRun::pass_on(const std::vector<std::string>& words, std::int64_t& bytes,
                                  PostgresArchive* archive) {
  PostgresChildOrder child_order;
  child_order.command = words;
  child_order.password = address_.password;
  child_order.connect_ms = limits_.connect_ms;
  child_order.stall_ms = limits_.stall_ms;
  child_order.must_end = [this] { return ending_ || caller_ends_; };
  const auto started = PostgresChild::start(child_order);
  if (!started.ok()) return started.error();
  PostgresChild& child = *started.value();
  while (true) {
    const auto came = child.read();
    if (!came.ok()) return came.error();
    if (came.value().empty()) return child.finish();
    if (archive != nullptr) archive->take(came.value());
    if (const auto written = members_.write(came.value()); !written.ok()) return written;
    bytes += static_cast<std::int64_t>(came.value().size());
  }
}

void PostgresDumpRun::correct_sequences(DatabaseFacts& facts) const {
  if (archive_.is_strange()) return;
  for (const ArchivedSequence& each : archive_.sequences()) {
    const std::string name = content_->name_of(each.schema, each.name);
    const auto found = std::lower_bound(
        facts.tables.begin(), facts.tables.end(), name,
        [](const TableFacts& table, const std::string& wanted) { return table.name < wanted; });
    if (found == facts.tables.end() || found->name != name) continue;
    found->hash = sequence_state(each.last_value, each.is_called);
  }
}

}  // namespace rowlock
