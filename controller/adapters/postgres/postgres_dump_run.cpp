// Read run() first, it names the steps in order. The session that reads the tables exports its
// snapshot, and every pg_dump is told to use that one; so all of them see the same moment.
#include "controller/adapters/postgres/postgres_dump_run.h"

#include "controller/adapters/postgres/postgres_lock_watch.h"
#include "controller/adapters/postgres/postgres_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <thread>
#include <utility>

namespace rowlock {

namespace {

constexpr int kVersionsOfAMajor = 10000;
constexpr std::int64_t kCallMs = 7 * 86'400'000LL;  // No dump takes longer.
// This session has all tables by then, so that there is not much to wait for.
constexpr std::int64_t kLockMs = 1000;
constexpr int kTriesMax = 20;
constexpr std::size_t kPieceBytes = 1024 * 1024;

// Connections beside the one that asks: pg_dump or pg_dumpall, and one to see who waits.
constexpr std::int64_t kOfOne = 2;
constexpr std::int64_t kMoreOfParts = 3;  // Of the parts before and after the data, too.
constexpr std::int64_t kLeftLeast = 3;
constexpr std::int64_t kLeftPart = 10;  // A tenth.

// Another number whenever a table, view, sequence, function, type or schema was made, altered or
// dropped.
constexpr char kCatalog[] =
    "SELECT (SELECT sum(oid::int8 + xmin::text::int8) FROM pg_class WHERE relpersistence <> 't') "
    "+ (SELECT sum(oid::int8 + xmin::text::int8) FROM pg_proc) "
    "+ (SELECT sum(oid::int8 + xmin::text::int8) FROM pg_type) "
    "+ (SELECT sum(oid::int8 + xmin::text::int8) FROM pg_namespace)";

// Whether somebody waits for a lock of that session's.
constexpr char kWaiting[] =
    "EXISTS (SELECT FROM pg_locks WHERE NOT granted AND $1::int = ANY (pg_blocking_pids(pid)))";

}  // namespace

PostgresDumpRun::PostgresDumpRun(const PostgresDumpLimits& limits, const PostgresAddress& address,
                                 int jobs, MemberWriter& members, const std::atomic<bool>& ending,
                                 const TellWait& waits)
    : limits_(limits),
      address_(address),
      jobs_(jobs),
      members_(members),
      caller_ends_(ending),
      waits_(waits) {}

Result<DumpFacts> PostgresDumpRun::run() {
  TRY(prepare());
  TRY(dump_globals());
  Result<DatabaseFacts> content = dump_once();
  for (int tries = 1; !content.ok() && tries < kTriesMax && is_worth_another_try(); ++tries) {
    ending_ = false;
    TRY(connect());
    content = dump_once();
  }
  if (!content.ok()) return content.error();
  DumpFacts facts{std::move(content).value(), pg_dump_.version, dump_bytes_};
  correct_sequences(facts.content);
  return facts;
}

Result<> PostgresDumpRun::prepare() {
  if (const auto connected = connect(); !connected.ok()) return connected;
  const auto options = TRY(connection_->options_for_programs());
  server_ = TRY(connection_text(address_.url, "", options));
  const int major = connection_->server_version() / kVersionsOfAMajor;
  const std::vector<std::string> folders =
      limits_.folders.empty() ? postgres_folders() : limits_.folders;
  for (const auto& [name, program] :
       {std::pair("pg_dump", &pg_dump_), std::pair("pg_dumpall", &pg_dumpall_)}) {
    auto found = TRY(postgres_program(name, major, folders));
    *program = std::move(found);
  }
  const auto asked =
      TRY(connection_->ask("SELECT has_table_privilege('pg_authid', 'SELECT'), current_database(), "
                           "current_setting('server_encoding'), "
                           "EXISTS (SELECT FROM pg_class WHERE relkind = 'f' AND relispartition)"));
  if (asked.is_refused()) return refused(asked.refusal, connection_->user());
  const PostgresRow& row = asked.rows.front();
  may_read_passwords_ = row[0] == "t";
  database_ = row[1];
  encoding_ = row[2];
  has_foreign_parts_ = row[3] == "t";
  return expect_connections();
}

// Applications come first: so many of a server's connections are left to them, beside those that
// they have.
Result<> PostgresDumpRun::expect_connections() {
  const auto asked = TRY(connection_->ask(
      "SELECT current_setting('max_connections')::int, "
      "current_setting('max_connections')::int "
      "- current_setting('superuser_reserved_connections')::int "
      "- (SELECT count(*) FROM pg_stat_get_activity(NULL) WHERE datid IS NOT NULL)"));
  if (asked.is_refused()) return refused(asked.refusal, connection_->user());
  const std::int64_t all = std::strtoll(asked.rows.front()[0].c_str(), nullptr, 10);
  const std::int64_t free = std::strtoll(asked.rows.front()[1].c_str(), nullptr, 10);
  const std::int64_t left = std::max<std::int64_t>(kLeftLeast, all / kLeftPart);
  const std::int64_t wanted = jobs_ > 1 ? jobs_ + kMoreOfParts : kOfOne;
  if (free - wanted >= left) return Done{};
  return Error{Fault::transient, Cause::other,
               fmt::format("the server has {} of {} connections free: the run needs {} and leaves "
                           "{} to others",
                           std::max<std::int64_t>(free, 0), all, wanted, left),
               "raise max_connections, or move backup_policy.schedule to a quieter time"};
}

Result<> PostgresDumpRun::connect() {
  connection_ =
      TRY(PostgresConnection::open(address_, {limits_.connect_ms, limits_.stall_ms, kCallMs},
                                   [this] { return ending_ || caller_ends_; }));
  content_ = std::make_unique<PostgresContent>(*connection_);
  return Done{};
}

// Somebody may have one for hours, and whoever waits must know who.
Result<> PostgresDumpRun::hold_tables() {
  const PostgresLockWatch watch(address_, {limits_.connect_ms, limits_.statement_ms, kCallMs},
                                connection_->session(), waits_);
  const auto begun = content_->begin();
  const PostgresLockWatch::Seen seen = begun.ok() ? PostgresLockWatch::Seen() : watch.seen();
  if (seen.sentence.empty()) return begun;
  Error error = begun.error();
  error.message = "it " + seen.sentence + ": " + error.message;
  error.hint = seen.hint;
  return error;
}

Result<DatabaseFacts> PostgresDumpRun::dump_once() {
  TRY(hold_tables());
  const auto snapshot = TRY(content_->export_snapshot());
  const auto catalog = TRY(connection_->ask(kCatalog));
  catalog_ = catalog.is_refused() ? "" : catalog.rows.front().front();
  if (jobs_ > 1) {
    parts_ = TRY(parts_of_data(*connection_, jobs_));
  }
  Result<DatabaseFacts> content = DatabaseFacts{};
  bool has_content_failed_first = false;
  std::thread reader([&] {
    if (limits_.reads_content) content = content_->read();
    if (!content.ok()) has_content_failed_first = !ending_.exchange(true);
  });
  const auto dumped = write_members(snapshot);
  if (!dumped.ok()) ending_ = true;
  reader.join();
  if (!dumped.ok() && !has_content_failed_first) return dumped.error();
  return content;
}

// Whoever wants a table for itself waits for this session, and pg_dump, which came later, waits
// behind them: nobody gets on. And what nobody can lock, such as a view, may go before pg_dump has
// come to it. While nothing has been written, it can be begun anew.
bool PostgresDumpRun::is_worth_another_try() const {
  if (dump_bytes_ > 0 || caller_ends_) return false;
  const auto opened =
      PostgresConnection::open(address_, {limits_.connect_ms, limits_.stall_ms, kCallMs},
                               [this] { return caller_ends_.load(); });
  if (!opened.ok()) return false;
  const auto asked =
      opened.value()->ask(std::string("SELECT ") + kWaiting + " OR $2 <> (" + kCatalog + ")::text",
                          {std::to_string(connection_->session()), catalog_});
  return asked.ok() && !asked.value().rows.empty() && asked.value().rows.front().front() == "t";
}

Result<> PostgresDumpRun::write_members(const std::string& snapshot) {
  return jobs_ > 1 ? dump_parts(snapshot) : dump_whole(snapshot);
}

Result<> PostgresDumpRun::dump_globals() {
  std::vector<std::string> words = command(pg_dumpall_);
  words.insert(words.end(), {"--globals-only", "--database=" + database_});
  if (!may_read_passwords_) words.push_back("--no-role-passwords");
  const auto child = TRY(start(words));
  const auto passed = pass_on("globals.sql", *child, nullptr);
  dump_bytes_ = 0;  // That is no part of it.
  return passed;
}

Result<> PostgresDumpRun::dump_whole(const std::string& snapshot) {
  const auto child = TRY(start(dump_command(snapshot)));
  return pass_on("dump", *child, &archive_);
}

// All of them begin at once, and nothing is written before each has something to say: it holds its
// tables then.
Result<> PostgresDumpRun::dump_parts(const std::string& snapshot) {
  std::vector<std::vector<std::string>> commands(parts_.size() + 2, dump_command(snapshot));
  commands.front().push_back("--section=pre-data");
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const std::vector<std::string> options = options_of(parts_, i);
    commands[i + 1].insert(commands[i + 1].end(), options.begin(), options.end());
  }
  commands.back().push_back("--section=post-data");
  std::vector<std::unique_ptr<PostgresChild>> children;
  for (std::vector<std::string>& words : commands) {
    auto child = TRY(start(std::move(words)));
    children.push_back(std::move(child));
  }
  for (const auto& child : children) {
    if (const auto came = child->await_output(); !came.ok()) return came;
  }
  if (const auto passed = pass_on("before", *children.front(), nullptr); !passed.ok()) {
    return passed;
  }
  if (const auto dumped = dump_data(children); !dumped.ok()) return dumped;
  return pass_on("after", *children.back(), nullptr);
}

Result<> PostgresDumpRun::dump_data(std::vector<std::unique_ptr<PostgresChild>>& children) {
  std::optional<Error> failure;  // The first one: the others only follow from it.
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i + 1 < children.size(); ++i) {
    threads.emplace_back([this, i, &child = *children[i], &failure] {
      const auto passed =
          pass_pieces("data." + std::to_string(i), child, i == 1 ? &archive_ : nullptr);
      if (passed.ok()) return;
      const std::lock_guard<std::mutex> lock(writing_);
      if (!ending_.exchange(true) || !failure.has_value()) failure = passed.error();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return failure.has_value() ? Result<>(*failure) : Result<>(Done{});
}

// ---- PostgreSQL's programs at work --------------------------------------------------------------

std::vector<std::string> PostgresDumpRun::command(const PostgresProgram& program) const {
  return {program.path, "--no-password", "--encoding=" + encoding_, "--dbname=" + server_};
}

std::vector<std::string> PostgresDumpRun::dump_command(const std::string& snapshot) const {
  std::vector<std::string> words = command(pg_dump_);
  words.insert(words.end(),
               {"--format=custom", "--compress=0", "--snapshot=" + snapshot,
                "--lock-wait-timeout=" + std::to_string(std::min(limits_.stall_ms, kLockMs))});
  // Where a row belongs may be said otherwise there: it is put where it belongs then. But nothing
  // that is restored may be written to a table that lies elsewhere.
  if (!has_foreign_parts_) words.push_back("--load-via-partition-root");
  return words;
}

Result<std::unique_ptr<PostgresChild>> PostgresDumpRun::start(
    std::vector<std::string> words) const {
  PostgresChildOrder child_order;
  child_order.command = std::move(words);
  child_order.password = address_.password;
  child_order.connect_ms = limits_.connect_ms;
  child_order.stall_ms = limits_.stall_ms;
  child_order.must_end = [this] { return ending_ || caller_ends_; };
  return PostgresChild::start(child_order);
}

Result<> PostgresDumpRun::pass_on(const std::string& member, PostgresChild& child,
                                  PostgresArchive* archive) {
  if (open_ != member) {
    if (const auto begun = members_.begin(member, -1); !begun.ok()) return begun;
    open_ = member;
  }
  const auto passed = pass_all(child, archive, [this](std::string_view bytes) {
    dump_bytes_ += static_cast<std::int64_t>(bytes.size());
    return members_.write(bytes);
  });
  if (!passed.ok()) return passed;
  open_.clear();
  return members_.end();
}

// Many at the same time hold no more than two would.
Result<> PostgresDumpRun::pass_pieces(const std::string& member, PostgresChild& child,
                                      PostgresArchive* archive) {
  const std::size_t full = 2 * kPieceBytes / std::max<std::size_t>(2, parts_.size());
  std::string piece;
  piece.reserve(full);
  const auto write = [&]() -> Result<> {
    const std::lock_guard<std::mutex> lock(writing_);
    dump_bytes_ += static_cast<std::int64_t>(piece.size());
    auto written = members_.add_piece(member, piece);
    piece.clear();
    return written;
  };
  const auto passed = pass_all(child, archive, [&](std::string_view bytes) -> Result<> {
    while (!bytes.empty()) {
      const std::string_view next = bytes.substr(0, full - piece.size());
      piece += next;
      bytes.remove_prefix(next.size());
      if (piece.size() < full) continue;
      if (auto written = write(); !written.ok()) return written;
    }
    return Done{};
  });
  return passed.ok() && !piece.empty() ? write() : passed;
}

Result<> PostgresDumpRun::pass_all(PostgresChild& child, PostgresArchive* archive,
                                   const Sink& sink) {
  while (true) {
    const auto came = TRY(child.read());
    if (came.empty()) return child.finish();
    if (archive != nullptr) archive->take(came);
    if (const auto written = sink(came); !written.ok()) return written;
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
