// Rows put back as they once were.
#include "controller/cli/edit/revert_rows.h"
#include "tests/cli/cli_home.h"

using rowlock_test::CliHome;
using rowlock_test::message_of;

namespace {

// Revision 1: web with two variables and a constraint, and its neighbour. 2: the neighbour changes.
// 3: web changes in every way that there is.
void make_history(const CliHome& home) {
  home.edit(
      "BEGIN; INSERT INTO job (name, image, cpus) VALUES ('web', 'web:1', 0.5), ('api', 'api:1', "
      "0);"
      "INSERT INTO job_env (job, name, value) VALUES ('web', 'A', '1'), ('web', 'B', '2'),"
      " ('api', 'A', '9');"
      "INSERT INTO job_constraint (job, attribute, value) VALUES ('web', 'site', 'local'); COMMIT");
  cr_assert(home.accept().revision == 1);
  home.edit("UPDATE job SET image = 'api:2' WHERE name = 'api'");
  cr_assert(home.accept().revision == 2);
  home.edit(
      "BEGIN; UPDATE job SET image = 'web:2', count = 3, cpus = 2 WHERE name = 'web';"
      "UPDATE job_env SET value = '7' WHERE job = 'web' AND name = 'A';"
      "DELETE FROM job_env WHERE job = 'web' AND name = 'B';"
      "INSERT INTO job_env (job, name, value) VALUES ('web', 'C', '3'); COMMIT");
  cr_assert(home.accept().revision == 3);
}

constexpr const char* kWeb =
    "SELECT (SELECT image || count || typeof(cpus) || cpus FROM job WHERE name = 'web')"
    " || (SELECT group_concat(name || value) FROM job_env WHERE job = 'web')";

}  // namespace

Test(cli_revert, a_job_goes_back_to_before_its_last_change_and_takes_nobody_along) {
  const CliHome given;
  make_history(given);

  const auto reverted = given.run({"revert", "web"});

  cr_expect(reverted.exit_code == 0, "%s", message_of(reverted).c_str());
  const std::string web = given.desired(kWeb);
  cr_expect(web == "web:11real0.5A1,B2", "%s", web.c_str());
  cr_expect(given.desired("SELECT image FROM job WHERE name = 'api'") == "api:2");
  const auto accepted = given.accept();
  cr_expect(accepted.revision == 4, "%s",
            accepted.violations.empty() ? "" : accepted.violations.front().message.c_str());
}

Test(cli_revert, a_revision_can_be_named_and_going_there_twice_changes_nothing) {
  const CliHome given;
  make_history(given);

  for (int i = 0; i < 2; ++i) {
    const auto reverted = given.run({"revert", "api", "1"});
    cr_expect(reverted.exit_code == 0, "%s", message_of(reverted).c_str());
    cr_expect(given.desired("SELECT image FROM job WHERE name = 'api'") == "api:1");
  }
}

Test(cli_revert, an_edit_that_is_not_in_force_is_undone_first) {
  const CliHome given;
  make_history(given);
  given.edit("UPDATE job SET image = 'web:bad' WHERE name = 'web'");

  cr_expect(given.run({"revert", "web"}).exit_code == 0);

  cr_expect(given.desired("SELECT image FROM job WHERE name = 'web'") == "web:2");
}

Test(cli_revert, a_deleted_job_comes_back_whole) {
  const CliHome given;
  make_history(given);
  given.edit(
      "DELETE FROM job WHERE name = 'web';"
      "INSERT INTO approval (revision, table_name, deletes) VALUES (3, 'job', 1),"
      " (3, 'job_env', 9), (3, 'job_constraint', 9)");
  cr_assert(given.accept().revision == 4);

  cr_expect(given.run({"revert", "web"}).exit_code == 0);

  const std::string web = given.desired(kWeb);
  cr_expect(web == "web:23real2.0A7,C3", "%s", web.c_str());
  cr_expect(given.accept().revision == 5);
}

Test(cli_revert, what_cannot_be_reverted_is_said) {
  const CliHome given;
  make_history(given);

  cr_expect(message_of(given.run({"revert", "wep"})) ==
            "no revision ever changed a job called 'wep'");
  cr_expect(message_of(given.run({"revert", "web", "9"})) ==
            "there is no revision 9: the last one is 3");
  given.edit("INSERT INTO job (name, image) VALUES ('new', 'new:1')");
  cr_assert(given.accept().revision == 4);
  cr_expect(message_of(given.run({"revert", "new"})) ==
            "revision 4 made the job new: there is nothing before it");
}

Test(cli_revert, the_rows_of_the_last_revision_are_the_accepted_copy) {
  const CliHome given;
  make_history(given);
  auto state = rowlock::open_state_for_reading(given.home, given.schema);
  auto database = std::move(state).value();

  const auto then = rowlock::rows_at(database, given.schema, "", 3);
  const auto now = rowlock::rows_in(database, given.schema, "");

  cr_assert(then.ok() && now.ok());
  cr_expect(rowlock::changes_between(now.value(), then.value()).empty());
  cr_expect(then.value().size() == 7, "%zu", then.value().size());
}

Test(cli_revert, a_lost_or_broken_desired_db_is_made_anew_from_the_accepted_rows) {
  const CliHome given;
  make_history(given);
  const std::string before = given.desired(kWeb);
  for (const bool is_lost : {true, false}) {
    for (const char* part : {"-wal", "-shm", ""}) {
      std::filesystem::remove(given.home.desired_path() + part);
    }
    if (!is_lost) {
      given.file("desired.db", std::string(5000, 'x'));
    }

    const auto reverted = given.run({"revert", "--all", "--yes"});

    cr_expect(reverted.exit_code == 0, "%s", message_of(reverted).c_str());
    cr_expect(given.desired(kWeb) == before);
    cr_expect(given.accept().revision == 0, "a new file with the same rows is no new revision");
  }
  int kept = 0;
  for (const auto& entry : std::filesystem::directory_iterator(given.folder)) {
    const std::string name = entry.path().filename();
    kept += name.starts_with("desired.db.broken-") ? 1 : 0;
    cr_expect(!name.starts_with("revert."), "%s", name.c_str());
  }
  cr_expect(kept == 1, "%d", kept);
}

Test(cli_revert, a_file_from_a_newer_rowlock_is_left_alone) {
  const CliHome given;
  make_history(given);
  given.edit("PRAGMA user_version = 99");

  const auto reverted = given.run({"revert", "--all", "--yes"});

  cr_expect(message_of(reverted).find("newer Rowlock") != std::string::npos, "%s",
            message_of(reverted).c_str());
  cr_expect(given.desired("SELECT count(*) FROM job") == "2");
}
