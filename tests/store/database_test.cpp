// Errors are sentences, transactions hold, and a query that somebody else wrote can do no harm.
#include "controller/store/database.h"

#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

using rowlock::Database;
using rowlock::Row;
using rowlock::TempFolder;
using rowlock::text_of;
using rowlock::Transaction;
using rowlock::Value;

namespace {

Database opened(const std::string& path) {
  auto result = Database::open(path, Database::Mode::create);
  cr_assert(result.ok(), "%s", result.ok() ? "" : result.error().message.c_str());
  return std::move(result).value();
}

// A file with a table of many pages.
void make_large(const std::string& path) {
  Database database = opened(path);
  cr_assert(database
                .run("CREATE TABLE t (x); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                     "FROM n WHERE i < 5000) "
                     "INSERT INTO t SELECT hex(randomblob(50)) FROM n;")
                .ok());
}

std::string error_of(const std::string& path, Database::Mode mode = Database::Mode::read_write) {
  const auto result = Database::open(path, mode);
  cr_assert(!result.ok(), "%s could be opened", path.c_str());
  return result.error().message + ": " + result.error().hint;
}

}  // namespace

Test(database, a_file_that_is_not_there_is_named_with_what_to_do) {
  TempFolder folder;

  const std::string said = error_of(folder / "none.db");

  cr_expect(said.find(folder / "none.db") == 0, "%s", said.c_str());
  cr_expect(said.find("unable to open database file") != std::string::npos, "%s", said.c_str());
  cr_expect(said.find("rowlock init") != std::string::npos, "%s", said.c_str());
}

Test(database, a_file_that_is_no_database_says_so) {
  TempFolder folder;
  rowlock::write(folder / "notes.db", std::string(5000, 'x'));

  const std::string said = error_of(folder / "notes.db");

  cr_expect(said.find("it is not a SQLite database: put back a copy") != std::string::npos, "%s",
            said.c_str());
}

Test(database, a_truncated_file_says_that_it_is_damaged) {
  TempFolder folder;
  make_large(folder / "cut.db");
  cr_assert_eq(truncate((folder / "cut.db").c_str(), 8192), 0);

  auto result = Database::open(folder / "cut.db", Database::Mode::read_write);
  std::string said;
  if (result.ok()) {
    Database database = std::move(result).value();
    const auto rows = database.query("SELECT count(x) FROM t");
    cr_assert(!rows.ok());
    said = rows.error().message + ": " + rows.error().hint;
  } else {
    said = result.error().message + ": " + result.error().hint;
  }

  cr_expect(said.find("damaged") != std::string::npos, "%s", said.c_str());
}

Test(database, a_file_opened_for_reading_cannot_be_written) {
  TempFolder folder;
  make_large(folder / "a.db");
  auto result = Database::open(folder / "a.db", Database::Mode::read_only);
  Database database = std::move(result).value();

  const auto written = database.run("DELETE FROM t");

  cr_expect(!written.ok());
  cr_expect(written.error().hint.find("cannot be written to") != std::string::npos, "%s",
            written.error().hint.c_str());
}

Test(database, another_writer_makes_it_busy_and_that_is_transient) {
  TempFolder folder;
  Database first = opened(folder / "a.db");
  Database second = opened(folder / "a.db");
  cr_assert(first.run("CREATE TABLE t (x); BEGIN IMMEDIATE").ok());
  cr_assert(second.run("PRAGMA busy_timeout=0").ok());

  const auto begun = Transaction::begin(second);

  cr_expect(!begun.ok());
  cr_expect_eq(begun.error().fault, rowlock::Fault::transient);
  cr_expect(begun.error().message.find("database is locked") != std::string::npos);
}

Test(database, values_keep_their_types) {
  Database database = opened(":memory:");

  const auto rows = database.query(
      "SELECT :a AS a, :b AS b, :c AS c, :d AS d, :absent AS e",
      {{"a", std::int64_t{1} << 60}, {"b", 0.5}, {"c", "ä\0x"}, {"unused", "x"}, {"d", Value{}}});

  cr_assert(rows.ok());
  const Row& row = rows.value().front();
  cr_expect_eq(row.integer("a"), std::int64_t{1} << 60);
  cr_expect_eq(row.number("b"), 0.5);
  cr_expect(row.text("c") == "ä");
  cr_expect(row.is_null("d") && row.is_null("e") && row.is_null("no such column"));
  cr_expect(row.text("a") == "1152921504606846976");
}

Test(database, a_script_stops_at_its_first_error_and_can_be_run_again) {
  Database database = opened(":memory:");
  const std::string script =
      "CREATE TABLE IF NOT EXISTS t (x CHECK (x > 0)); INSERT INTO t VALUES (:x); INSERT INTO t "
      "VALUES (2);";

  const auto failed = database.run(script, {{"x", std::int64_t{-1}}});
  const auto first = database.run(script, {{"x", std::int64_t{1}}});
  const auto second = database.run(script, {{"x", std::int64_t{1}}});

  cr_expect(!failed.ok());
  cr_expect(first.ok() && second.ok());
  cr_expect(rowlock::text_of(database.scalar("SELECT group_concat(x, '') FROM t").value()) ==
            "1212");
}

Test(database, a_transaction_that_is_dropped_has_not_happened) {
  Database database = opened(":memory:");
  cr_assert(database.run("CREATE TABLE t (x)").ok());

  {
    auto transaction = Transaction::begin(database);
    cr_assert(transaction.ok());
    cr_assert(database.run("INSERT INTO t VALUES (1)").ok());
  }
  auto kept = Transaction::begin(database);
  cr_assert(database.run("INSERT INTO t VALUES (2)").ok());
  cr_assert(std::move(kept).value().commit().ok());

  cr_expect(rowlock::text_of(database.scalar("SELECT group_concat(x) FROM t").value()) == "2");
}

Test(database, the_data_version_changes_with_the_commits_of_others_alone) {
  TempFolder folder;
  Database ours = opened(folder / "a.db");
  Database other = opened(folder / "a.db");
  cr_assert(ours.run("CREATE TABLE t (x)").ok());
  const std::int64_t before = ours.data_version().value();

  cr_assert(ours.run("INSERT INTO t VALUES (1)").ok());
  const std::int64_t after_own = ours.data_version().value();
  cr_assert(other.run("BEGIN; INSERT INTO t VALUES (1); ROLLBACK").ok());
  const std::int64_t after_rollback = ours.data_version().value();
  cr_assert(other.run("INSERT INTO t VALUES (1)").ok());

  cr_expect_eq(after_own, before);
  cr_expect_eq(after_rollback, before);
  cr_expect_neq(ours.data_version().value(), before);
}

Test(database, a_question_asked_before_a_table_changed_answers_in_the_columns_of_today) {
  TempFolder folder;
  Database ours = opened(folder / "a.db");
  Database other = opened(folder / "a.db");
  cr_assert(ours.run("CREATE TABLE t (x, y, z); INSERT INTO t VALUES (1, 2, 3)").ok());
  cr_assert(ours.query("SELECT * FROM t").ok());

  cr_assert(other.run("ALTER TABLE t DROP COLUMN y").ok());
  const auto rows = ours.query("SELECT * FROM t");

  cr_assert(rows.ok());
  cr_expect(rows.value().front().columns() == (std::vector<std::string>{"x", "z"}));
  cr_expect_eq(rows.value().front().integer("z"), 3);
}

Test(database, what_is_not_synced_leaves_everything_after_it_synced) {
  TempFolder folder;
  Database database = opened(folder / "a.db");
  cr_assert(database.run("CREATE TABLE t (x)").ok());
  cr_assert(database.query("PRAGMA journal_mode=WAL").ok());

  for (std::int64_t i = 1; i <= 3; ++i) {
    cr_expect(database.run_unsynced("INSERT INTO t VALUES (:x)", {{"x", i}}).ok());
    // Of its own text each time: the answer is worked out when the question is compiled.
    const auto level = database.scalar(fmt::format("PRAGMA synchronous -- {}", i));
    cr_expect(text_of(level.value()) == "2");
  }
  cr_expect(!database.run_unsynced("INSERT INTO nothing VALUES (1)", {}).ok());
  cr_expect(text_of(database.scalar("PRAGMA synchronous").value()) == "2");
  cr_expect(text_of(opened(folder / "a.db").scalar("SELECT sum(x) FROM t").value()) == "6");
}

Test(database, a_guarded_query_reads_and_does_nothing_else) {
  TempFolder folder;
  Database database = opened(folder / "a.db");
  cr_assert(database.run("CREATE TABLE t (x PRIMARY KEY); INSERT INTO t VALUES (1), (2)").ok());
  const std::string other = "ATTACH '" + (folder / "b.db") + "' AS b";

  for (const std::string& query : {std::string("DELETE FROM t"),
                                   std::string("INSERT INTO t VALUES (3)"),
                                   std::string("UPDATE t SET x = 3"),
                                   std::string("DROP TABLE t"),
                                   std::string("CREATE TABLE u (x)"),
                                   std::string("CREATE TEMP TABLE u (x)"),
                                   other,
                                   std::string("PRAGMA user_version = 7"),
                                   std::string("PRAGMA table_info(t)"),
                                   std::string("VACUUM"),
                                   std::string("BEGIN"),
                                   std::string("COMMIT"),
                                   std::string("REINDEX"),
                                   std::string("ANALYZE"),
                                   std::string("SELECT load_extension('x')"),
                                   std::string("SELECT fts3_tokenizer('simple')"),
                                   std::string("SELECT sqlite_log(1, 'x')"),
                                   std::string("SELECT hex(randomblob(9))"),
                                   std::string("SELECT 1; DELETE FROM t"),
                                   std::string(""),
                                   std::string("-- nothing"),
                                   std::string("SELECT * FROM nothing"),
                                   std::string("SELEKT 1"),
                                   std::string("SELECT writefile('/tmp/x', 'y')")}) {
    const auto rows = database.guarded_query(query, 10, 1000);
    cr_expect(!rows.ok(), "allowed: %s", query.c_str());
    cr_expect(rows.ok() || rows.error().fault == rowlock::Fault::rejected, "%s", query.c_str());
  }
  const auto allowed = database.guarded_query(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT sum(i), "
      "MAX(x) FROM n, t;",
      10, 1000);
  cr_expect(allowed.ok() && allowed.value().front().integer("sum(i)") == 12);
  cr_expect(database.run("INSERT INTO t VALUES (3)").ok(), "the guard is gone afterwards");
}

Test(database, a_guarded_query_is_bounded_in_rows_and_time) {
  Database database = opened(":memory:");
  const std::string endless =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT ";

  const auto many = database.guarded_query(endless + "i FROM n", 100, 10000);
  const auto slow = database.guarded_query(endless + "count(*) FROM n", 100, 50);
  const auto exact = database.guarded_query(endless + "i FROM n LIMIT 100", 100, 10000);

  cr_expect(!many.ok() && many.error().message == "returns more than 100 rows");
  cr_expect(!slow.ok() && slow.error().message == "takes more than 50 ms", "%s",
            slow.ok() ? "" : slow.error().message.c_str());
  cr_expect(exact.ok() && exact.value().size() == 100);
}

// The time is looked at between the steps of a query, and one function is one step.
Test(database, nothing_in_a_guarded_query_is_longer_than_a_megabyte) {
  Database database = opened(":memory:");
  cr_assert(database.run("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(1500000))").ok());

  for (const std::string long_one :
       {"length(hex(zeroblob(200000000)))", "length(zeroblob(1000001))",
        "length(replace(hex(zeroblob(400000)), '0', '0000000000'))",
        "(SELECT length(x || '') FROM t)", "'a' LIKE replace(hex(zeroblob(200)), '0', '%')"}) {
    const auto rows = database.guarded_query("SELECT " + long_one, 10, 1000);
    cr_expect(!rows.ok() && rows.error().fault == rowlock::Fault::rejected, "%s", long_one.c_str());
  }

  cr_expect(text_of(database.scalar("SELECT length(hex(zeroblob(1500000)))").value()) == "3000000",
            "the guard is gone afterwards");
}

Test(database, a_file_that_was_taken_away_under_it_is_noticed) {
  for (const std::string lost : {"x.db", "x.db-wal"}) {
    for (const bool is_replaced : {false, true}) {
      TempFolder folder;
      Database database = Database::open(folder / "x.db", Database::Mode::create).value();
      cr_assert(database.query("PRAGMA journal_mode=WAL").ok());
      cr_assert(database.run("CREATE TABLE boat (name)").ok());
      cr_expect(!database.is_moved());
      cr_assert(database.run("INSERT INTO boat VALUES ('ada')").ok());
      cr_expect(!database.is_moved());

      rowlock::write(folder / "other", "else");
      std::filesystem::rename(folder / lost, folder / "kept");
      if (is_replaced) std::filesystem::rename(folder / "other", folder / lost);

      cr_expect(database.is_moved(), "%s", lost.c_str());
      std::filesystem::rename(folder / "kept", folder / lost);
      cr_expect(!database.is_moved(), "it is back");
    }
  }
}
