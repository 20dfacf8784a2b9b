// An edit that deletes much of what something stands behind waits for consent.
#include "controller/store/brake.h"

#include "tests/store/desk.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using rowlock::Acceptance;
using rowlock::Database;
using rowlock::Desk;
using rowlock::holds;

namespace {

constexpr const char* kFiveJobs =
    "INSERT INTO job (name, image) VALUES ('a', 'x:1'), ('b', 'x:2'), ('c', 'x:3'), ('d', 'x:4'), "
    "('e', 'x:5')";

// Jobs that run since long.
void let_run(Desk& desk, const std::string& jobs) {
  cr_assert(desk.state
                .run("UPDATE revision SET at_ms = at_ms - 7200000;"
                     "INSERT OR IGNORE INTO spec (job, body) SELECT name, '{}' FROM job;"
                     "INSERT INTO instance (job, slot, spec, node, name, streak, cpus, memory_mb,"
                     "  stop_signal, stop_timeout_ms, placed_at_ms, since_ms)"
                     "SELECT j.name, 0, s.id, 'local', 'i-' || j.name, 0, 0, 0, 'SIGTERM', 0, 0, 0"
                     " FROM job AS j JOIN spec AS s ON s.job = j.name WHERE j.name IN (" +
                     jobs + ") AND j.name NOT IN (SELECT job FROM instance)")
                .ok());
}

}  // namespace

Test(brake, deleting_much_that_runs_waits_for_an_approval_whose_text_can_be_pasted) {
  Desk desk;
  desk.edit(kFiveJobs);
  let_run(desk, "'a', 'b', 'c', 'd', 'e'");

  const Acceptance two = desk.edit("DELETE FROM job WHERE name IN ('a', 'b')");
  const Acceptance three = desk.edit("DELETE FROM job");
  const std::string said = desk.refusals(three);
  const std::size_t at = said.find("INSERT INTO approval");
  cr_assert_neq(at, std::string::npos, "%s", said.c_str());
  const std::string in_force = desk.value("SELECT count(*) FROM job");
  const Acceptance approved = desk.edit(said.substr(at));

  cr_expect_eq(two.revision, 3, "two of five: %s", desk.refusals(two).c_str());
  cr_expect(holds(said, "this deletes 3 of the 5 rows of job that run; if that is meant: "), "%s",
            said.c_str());
  cr_expect(in_force == "3");
  cr_expect_eq(approved.revision, 4, "%s", desk.refusals(approved).c_str());
  cr_expect(desk.value("SELECT count(*) FROM job") == "0");
}

Test(brake, an_approval_holds_for_one_revision_and_for_no_more_rows_than_it_names) {
  Desk desk;
  desk.edit(kFiveJobs);
  let_run(desk, "'a', 'b', 'c', 'd', 'e'");

  const Acceptance too_many = desk.edit(
      "INSERT INTO approval (revision, table_name, deletes) VALUES (2, 'job', 3); DELETE FROM job "
      "WHERE name < 'e'");
  const Acceptance just_so = desk.edit("INSERT INTO job (name, image) VALUES ('d', 'x:4')");
  const Acceptance later = desk.edit("INSERT INTO job (name, image) VALUES ('f', 'x:1')");

  cr_expect(holds(desk.refusals(too_many), "this deletes 4 of the 5 rows of job"), "%s",
            desk.refusals(too_many).c_str());
  cr_expect_eq(just_so.revision, 3, "%s", desk.refusals(just_so).c_str());
  cr_expect_eq(later.revision, 4);
}

// Taken on store, an approval would open the way for an edit that nobody has thought of.
Test(brake, an_approval_that_came_with_another_edit_is_none) {
  Desk desk;
  desk.edit(std::string(kFiveJobs) +
            "; INSERT INTO approval (revision, table_name, deletes) VALUES (2, 'job', 99)");
  let_run(desk, "'a', 'b', 'c', 'd', 'e'");

  const Acceptance refused = desk.edit("DELETE FROM job");

  cr_expect(holds(desk.refusals(refused), "this deletes 5 of the 5"), "%s",
            desk.refusals(refused).c_str());
}

Test(brake, the_brake_holds_only_what_something_stands_behind) {
  Desk desk;
  desk.edit(std::string(kFiveJobs) +
            "; INSERT INTO job_env (job, name) VALUES ('a', 'A'), ('a', 'B'), ('b', 'A')");
  let_run(desk, "'a', 'b'");

  const Acceptance rows = desk.edit("DELETE FROM job_env");
  const Acceptance idle = desk.edit("DELETE FROM job WHERE name > 'b'");

  cr_expect_eq(rows.revision, 3, "%s", desk.refusals(rows).c_str());
  cr_expect_eq(idle.revision, 4, "they never ran: %s", desk.refusals(idle).c_str());
}

Test(brake, what_came_a_moment_ago_may_be_taken_back_whole) {
  Desk desk;
  desk.edit(kFiveJobs);
  let_run(desk, "'a', 'b', 'c', 'd', 'e'");
  cr_assert(desk.state.run("UPDATE revision SET at_ms = 1000000").ok());

  const Acceptance taken_back = desk.edit("DELETE FROM job");

  cr_expect_eq(taken_back.revision, 3, "%s", desk.refusals(taken_back).c_str());
}

Test(brake, another_name_is_no_deletion) {
  Desk desk;
  desk.edit(kFiveJobs);
  let_run(desk, "'a', 'b', 'c', 'd', 'e'");

  const Acceptance renamed = desk.edit("UPDATE job SET name = 'new-' || name");
  let_run(desk, "'new-a', 'new-b', 'new-c', 'new-d', 'new-e'");
  const Acceptance swapped = desk.edit(
      "DELETE FROM job; INSERT INTO job (name, image) VALUES ('one', 'y:1'), ('two', 'y:2')");

  cr_expect_eq(renamed.revision, 3, "%s", desk.refusals(renamed).c_str());
  cr_expect(holds(desk.refusals(swapped), "this deletes 5 of the "), "these are others: %s",
            desk.refusals(swapped).c_str());
}

Test(brake, the_brake_is_seen_before_the_edit_is_committed) {
  Desk desk;
  desk.edit(kFiveJobs);
  let_run(desk, "'a', 'b', 'c', 'd', 'e'");
  auto opened = rowlock::open_for_what_if(desk.made.home, desk.made.schema);
  cr_assert(opened.ok(), "%s", opened.ok() ? "" : opened.error().message.c_str());
  Database shell = std::move(opened).value();
  const auto said = [&] {
    auto found = shell.scalar("SELECT COALESCE(group_concat(message), '') FROM violation");
    cr_assert(found.ok(), "%s", found.ok() ? "" : found.error().message.c_str());
    return rowlock::text_of(found.value());
  };

  const std::string before = said();
  cr_assert(shell.run("BEGIN; DELETE FROM job").ok());
  const std::string deleted = said();
  cr_assert(shell.run("ROLLBACK").ok());

  cr_expect(before.empty(), "%s", before.c_str());
  cr_expect(holds(deleted, "this deletes 5 of the 5 rows of job that run"), "%s", deleted.c_str());
}
