// SQL as a person gives it to `rowlock apply`, on the tables of desired.db: each statement moves on
// in the text, none gets out of the transaction around it, and all is as before when that is rolled
// back. What would run for ever is interrupted.
#include "controller/base/check.h"
#include "controller/store/shell.h"
#include "tests/fuzz/targets.h"

#include <sqlite3.h>

#include <algorithm>
#include <optional>

namespace rowlock {

namespace {

constexpr int kStepsMax = 20'000;  // Of SQLite's machine, for all of one text.
constexpr int kTextMax = 100'000;

constexpr char kCounts[] =
    "SELECT (SELECT count(*) FROM sqlite_schema) || ' ' || (SELECT count(*) FROM node)";

int interrupt(void*) { return 1; }

Database made_database() {
  static const Schema schema;
  auto opened = Database::open(":memory:", Database::Mode::create);
  CHECK(opened.ok());
  Database database = std::move(opened).value();
  std::string script = "BEGIN;";
  for (const TableText& table : schema.desired_tables()) script += table.sql;
  CHECK(database.run(script + schema.guard() + schema.first() + "COMMIT;").ok());
  sqlite3_limit(database.handle(), SQLITE_LIMIT_LENGTH, kTextMax);
  return database;
}

// What a PRAGMA sets outlives the transaction.
bool has_pragma(std::string_view bytes) {
  constexpr std::string_view kWord = "pragma";
  return std::search(bytes.begin(), bytes.end(), kWord.begin(), kWord.end(),
                     [](char a, char b) { return (a | 0x20) == b; }) != bytes.end();
}

void run_all(Database& database, std::string_view script) {
  const EditGuard guard(database);
  for (;;) {
    const std::size_t before = script.size();
    const auto ran = run_next(database, script);
    if (!ran.ok()) return;
    CHECK(is_in_transaction(database));
    if (!ran.value()) break;
    CHECK(script.size() < before);
  }
  CHECK(script.empty());
  CHECK(guard.refused().empty());
}

}  // namespace

void fuzz_sql(std::string_view bytes) {
  static std::optional<Database> kept;
  if (!kept) kept = made_database();
  Database& database = *kept;
  (void)is_whole_statement(bytes);
  const std::string before = text_of(database.scalar(kCounts).value());
  {
    const auto transaction = Transaction::begin(database);
    CHECK(transaction.ok());
    sqlite3_progress_handler(database.handle(), kStepsMax, &interrupt, nullptr);
    run_all(database, bytes);
    sqlite3_progress_handler(database.handle(), 0, nullptr, nullptr);
  }
  CHECK(!is_in_transaction(database));
  if (has_pragma(bytes)) return kept.reset();
  CHECK(text_of(database.scalar(kCounts).value()) == before);
}

}  // namespace rowlock
