// Edits: what they would do before they are committed, files that are one edit or none, and whether
// an edit is in force.
#include "controller/store/shell.h"
#include "tests/cli/cli_home.h"

using rowlock_test::CliHome;
using rowlock_test::message_of;

namespace {

constexpr const char* kWeb = "INSERT INTO job (name, image) VALUES ('web', 'web:1');";

}  // namespace

Test(cli_edit, an_uncommitted_edit_shows_its_plan_and_leaves_nothing_behind) {
  const CliHome given;
  auto opened = rowlock::open_for_what_if(given.home, given.schema);
  cr_assert(opened.ok());
  auto database = std::move(opened).value();

  std::string_view script =
      "BEGIN; INSERT INTO job (name, image) VALUES ('web', 'web:1');"
      "SELECT step FROM plan WHERE name = 'web'; ROLLBACK; SELECT count(*) AS jobs FROM job";
  std::vector<std::string> answers;
  for (auto ran = rowlock::run_next(database, script); ran.ok() && ran.value();
       ran = rowlock::run_next(database, script)) {
    for (const auto& row : ran.value()->rows) {
      answers.push_back(rowlock::text_of(row.cells().front()));
    }
  }

  cr_assert(answers.size() == 2);
  cr_expect(answers[0] == "deploy", "%s", answers[0].c_str());
  cr_expect(answers[1] == "0");
  cr_expect(given.desired("SELECT count(*) FROM job") == "0");
}

Test(cli_edit, state_db_cannot_be_written_from_the_shell) {
  const CliHome given;
  auto opened = rowlock::open_for_what_if(given.home, given.schema);
  auto database = std::move(opened).value();

  std::string_view script = "UPDATE clock SET now_ms = 0";
  const auto ran = rowlock::run_next(database, script);

  cr_assert(!ran.ok());
  cr_expect(ran.error().hint.find("state.db is Rowlock's own") == 0, "%s",
            ran.error().hint.c_str());
}

Test(cli_edit, an_edit_is_pending_until_it_is_accepted) {
  const CliHome given;
  cr_expect(rowlock::edit_is_pending(given.home, given.schema).value());  // The node of init.
  given.accept();
  cr_expect(!rowlock::edit_is_pending(given.home, given.schema).value());

  for (const char* sql : {kWeb, "UPDATE job SET count = 2", "DELETE FROM job"}) {
    given.edit(sql);
    cr_expect(rowlock::edit_is_pending(given.home, given.schema).value(), "%s", sql);
    given.edit(
        "INSERT OR REPLACE INTO approval (revision, table_name, deletes)"
        " VALUES (2, 'job', 1), (3, 'job', 1)");
    given.accept();
    cr_expect(!rowlock::edit_is_pending(given.home, given.schema).value(), "%s", sql);
  }
}

Test(cli_edit, files_are_applied_as_one_edit) {
  const CliHome given;
  const std::string web = given.file("web.sql", kWeb);
  const std::string env = given.file(
      "env.sql", "-- of web\nINSERT INTO job_env (job, name, value) VALUES ('web', 'A', '1')\n");

  const auto applied = given.run({"apply", web, env});

  cr_expect(applied.exit_code == 0, "%s", message_of(applied).c_str());
  cr_expect(given.desired("SELECT value FROM job_env") == "1");
}

Test(cli_edit, a_file_that_fails_takes_the_whole_edit_with_it) {
  const CliHome given;
  const std::string web = given.file("web.sql", kWeb);
  struct Case {
    std::string text;
    const char* message;
  };
  const Case cases[] = {
      {"\n\nINSERT INTO job_env (job, name) VALUES ('wep', 'A');",
       ".sql:3: job_env.job names no job"},
      {"UPDATE job SET count = -1;", ".sql:1: CHECK constraint failed: job.count must be"},
      {"UPDATE job SET count = 2;\nCOMMIT;", ".sql:2: COMMIT is refused"},
      {"BEGIN;", ".sql:1: BEGIN is refused"},
      {"ATTACH 'x.db' AS x;", ".sql:1: ATTACH is refused"},
      {"UPDATE job SET", ".sql:1: incomplete input"},
      {std::string("UPDATE job SET count = 2;\n\0DELETE FROM job;", 43),
       ".sql:2: there is a NUL byte, at which SQL ends"},
  };
  for (const Case& each : cases) {
    const auto applied = given.run({"apply", web, given.file("bad.sql", each.text)});

    cr_expect(applied.exit_code == 1, "%s", each.text.c_str());
    cr_expect(message_of(applied).find(each.message) != std::string::npos, "%s\n%s",
              each.text.c_str(), message_of(applied).c_str());
    cr_expect(given.desired("SELECT count(*) FROM job") == "0", "%s", each.text.c_str());
  }
}

Test(cli_edit, an_edit_that_would_be_refused_is_not_written) {
  const CliHome given;
  given.edit(
      "INSERT INTO invariant (name, query, message) VALUES"
      " ('small', 'SELECT name FROM job WHERE count > 9', 'at most nine')");
  const char* const refused[] = {
      "INSERT INTO job (name, image, type) VALUES ('web', 'web:1', 'batch')",
      "INSERT INTO job (name, image, count) VALUES ('web', 'web:1', 10)",
  };
  for (const char* text : refused) {
    const auto applied = given.run({"apply", given.file("web.sql", text)});

    cr_expect(applied.exit_code == 1, "%s", text);
    cr_expect(message_of(applied).find("refused, nothing was written") == 0, "%s",
              message_of(applied).c_str());
    cr_expect(given.desired("SELECT count(*) FROM job") == "0");
  }
}

Test(cli_edit, a_dry_run_writes_nothing) {
  const CliHome given;

  const auto applied = given.run({"apply", given.file("web.sql", kWeb), "--dry-run"});

  cr_expect(applied.exit_code == 0);
  cr_expect(given.desired("SELECT count(*) FROM job") == "0");
}

Test(cli_edit, a_file_that_cannot_be_read_is_named) {
  const CliHome given;

  for (const std::string& path : {given.folder + "/none.sql", given.folder}) {
    const auto applied = given.run({"apply", path});
    cr_expect(applied.exit_code == 1);
    cr_expect(message_of(applied).find(path + ": ") == 0, "%s", message_of(applied).c_str());
  }
}
