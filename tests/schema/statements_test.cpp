// Every statement of the tree compiles against a fresh home, and the questions that the loop asks
// by name read the rows of that name alone.
#include "tests/cli/cli_home.h"
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <chrono>

using rowlock::PlanWorld;
using rowlock::Row;

namespace {

// One statement of a script, with the scripts' comments left in; the text ends where the statement
// does.
std::vector<std::string> statements_of(const std::string& script) {
  std::vector<std::string> all;
  std::string line;
  std::string statement;
  for (std::size_t at = 0; at < script.size();) {
    const std::size_t end = std::min(script.find('\n', at), script.size());
    line = script.substr(at, end - at);
    at = end + 1;
    line = line.substr(0, line.find("--"));
    statement += line + "\n";
    if (line.find_last_not_of(' ') != std::string::npos &&
        line[line.find_last_not_of(' ')] == ';') {
      all.push_back(statement);
      statement.clear();
    }
  }
  return all;
}

// The tables that grow with the number of jobs.
const std::vector<std::string> kLarge = {"job",       "instance",    "deployment", "spec",
                                         "job_env",   "job_port",    "job_mount",  "job_constraint",
                                         "job_check", "check_state", "attempt"};

// What scripts are named for that is no kind: the loop's own, and the parts of the secret store.
const std::set<std::string> kOthers = {
    "accept",  "retry",   "state",     "attempt", "check",  "secret",   "digest", "audit",
    "keyring", "seal",    "policy",    "token",   "login",  "identity", "api",    "metric",
    "cli",     "desired", "retention", "wal",     "rights", "quota"};

// EXPLAIN QUERY PLAN names tables by their aliases; the byte code tells the truth: a cursor that is
// opened on a table or on one of its indexes and then walked from its first row on reads all of it.
bool scans_a_large_table(PlanWorld& world, const std::string& query, std::string& which) {
  const auto code = world.rows().query("EXPLAIN " + query);
  cr_assert(code.ok(), "%s", code.ok() ? "" : code.error().message.c_str());
  std::map<std::int64_t, std::int64_t> root_of_cursor;
  std::set<std::int64_t> at_the_first;
  for (const Row& row : code.value()) {
    const std::string opcode = row.text("opcode");
    const std::int64_t cursor = row.integer("p1");
    if (opcode == "OpenRead") {
      root_of_cursor[cursor] = row.integer("p2");
    } else if ((opcode == "Rewind" || opcode == "Last") && root_of_cursor.contains(cursor)) {
      at_the_first.insert(cursor);
    } else if ((opcode == "Next" || opcode == "Prev") && at_the_first.contains(cursor)) {
      which = world.text(fmt::format("SELECT tbl_name FROM sqlite_schema WHERE rootpage = {}",
                                     root_of_cursor[cursor]));
      if (std::find(kLarge.begin(), kLarge.end(), which) != kLarge.end()) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

Test(statements, every_view_can_be_read) {
  PlanWorld world;

  std::vector<std::string> views = world.schema().view_names();
  views.insert(views.end(), {"plan", "status", "why", "violation", "violation_now"});
  for (const std::string& view : views) {
    const auto rows = world.rows().query("SELECT * FROM " + view);
    cr_expect(rows.ok(), "%s: %s", view.c_str(), rows.ok() ? "" : rows.error().message.c_str());
  }
}

Test(statements, every_script_compiles_against_a_fresh_home) {
  PlanWorld world;
  // What `rowlock sql` asks names the files that it has open.
  const rowlock_test::CliHome home;
  auto opened = rowlock::open_for_what_if(home.home, home.schema);
  cr_assert(opened.ok());
  rowlock::Database shell = std::move(opened).value();

  for (const auto& [name, script] : world.schema().scripts()) {
    if (script.find('{') != std::string::npos && script.find("{table}") != std::string::npos) {
      continue;  // A template, filled in for every desired table: accept_test.cpp runs them.
    }
    const std::vector<std::string> statements = statements_of(script);
    cr_expect(!statements.empty(), "%s is empty", name.c_str());
    for (const std::string& statement : statements) {
      const bool takes_violations = name == "accept.refused";
      rowlock::Database& rows = name.starts_with("cli.sql_") ? shell : world.rows();
      const auto compiled = rows.query("EXPLAIN " + statement);
      cr_expect(compiled.ok() || takes_violations, "%s: %s", name.c_str(),
                compiled.ok() ? "" : compiled.error().message.c_str());
    }
  }
}

Test(statements, every_script_is_named_for_a_kind_that_there_is) {
  PlanWorld world;

  for (const auto& [name, script] : world.schema().scripts()) {
    const std::string kind = name.substr(0, name.find('.'));
    const bool is_kind =
        world.number(
            fmt::format("SELECT count(*) FROM sqlite_schema WHERE name = '{}_rule'", kind)) == 1;
    cr_expect(is_kind || kOthers.contains(kind), "%s", name.c_str());
  }
}

Test(statements, a_question_by_name_reads_no_large_table_as_a_whole) {
  PlanWorld world;

  for (const char* query :
       {"SELECT * FROM plan WHERE name = ?", "SELECT * FROM status WHERE name = ?",
        "SELECT * FROM why WHERE name = ?", "SELECT * FROM job_tally WHERE job = ?",
        "SELECT * FROM check_target WHERE instance = ?",
        "SELECT * FROM instance_input WHERE target = ?", "SELECT * FROM service WHERE job = ?"}) {
    std::string table;
    cr_expect(!scans_a_large_table(world, query, table), "%s reads all of %s", query,
              table.c_str());
  }
  std::string table;
  cr_expect(scans_a_large_table(world, "SELECT * FROM plan", table), "the test would see it");
}

// The same as a measurement, so that a change of SQLite's mind is seen too: a thousand jobs make an
// answer hardly slower.
Test(statements, a_question_by_name_takes_as_long_among_many_as_among_few) {
  const auto least_us = [](int jobs, const char* query) {
    PlanWorld world;
    world.settle();
    world.sql(
        fmt::format("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
                    "INSERT INTO job (name, image, count) SELECT 'job' || i, 'good:1', 3 FROM n;"
                    "INSERT INTO spec (job, body) SELECT job, body FROM job_spec;"
                    "INSERT INTO deployment (job, asked, spec, cause, state, started_at_ms) SELECT "
                    "job, id, id, 'edit', 'succeeded', 0 FROM spec;"
                    "INSERT INTO instance (job, slot, spec, node, name, container, streak, cpus, "
                    "memory_mb, stop_signal, stop_timeout_ms, "
                    "placed_at_ms, healthy_at_ms, since_ms) SELECT s.job, n.number, s.id, 'local', "
                    "s.job || '-' || n.number, 'running', 0, 0, "
                    "0, 'SIGTERM', 0, 0, 0, 0 FROM spec AS s JOIN slot AS n ON n.number < 3;",
                    jobs));
    std::vector<std::int64_t> took;
    for (int i = 0; i < 51; ++i) {
      const auto before = std::chrono::steady_clock::now();
      const auto rows = world.rows().query(query, {{"name", "job5"}});
      took.push_back(std::chrono::duration_cast<std::chrono::microseconds>(
                         std::chrono::steady_clock::now() - before)
                         .count());
      cr_assert(rows.ok());
    }
    return *std::min_element(took.begin(), took.end());  // What else the machine does only adds.
  };

  for (const char* query :
       {"SELECT kind, name, target, step, reason, due_at_ms FROM plan WHERE name = :name",
        "SELECT * FROM status WHERE name = :name", "SELECT * FROM why WHERE name = :name"}) {
    const std::int64_t few = least_us(10, query);
    const std::int64_t many = least_us(1000, query);
    cr_expect_lt(many, 4 * few + 200, "%s: %ld us among 10 jobs, %ld us among 1000", query, few,
                 many);
  }
}
