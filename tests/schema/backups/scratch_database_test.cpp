// What runs left behind on a server: found by its name, told from what is in use and from what
// another home made, and dropped.
#include "tests/schema/backups/backed_world.h"

using namespace rowlock;

namespace {

using Names = std::vector<std::string>;

struct Swept : Backed {
  Swept() { run_policy(); }

  std::string own(const std::string& rest) {
    return "rowlock_" + text("SELECT id FROM home") + "_" + rest;
  }
  void put(const std::string& name) { fake_dumps.put_database(kServer, name, {}); }
  void sweep() {
    sql("UPDATE database_state SET look_at_ms = 0");
    settle();
  }
  std::string dropped() {
    return text("SELECT target FROM event WHERE kind = 'scratch_database' AND what = 'dropped'");
  }
};

}  // namespace

Test(scratch_database, what_no_row_explains_is_dropped_and_said_once) {
  Swept world;
  world.put(world.own("verify_77"));
  world.put(world.own("restore_by_hand_1"));

  world.sweep();

  cr_expect(world.databases() == Names{"school"});
  expect_is(world.own("restore_by_hand_1") + " " + world.own("verify_77"), world.dropped());
  expect_is("0", world.text("SELECT count(*) FROM scratch_database"));
  world.sweep();
  expect_is("2", world.text("SELECT count(*) FROM event WHERE kind = 'scratch_database'"));
}

Test(scratch_database, what_others_made_stays) {
  Swept world;
  const Names others = {"rowlock_abc123_restore_r", "rowlock_abc123_verify_1",
                        "rowlock_restore_123456",   "rowlock_restore_r",
                        "rowlock_verify_1",         world.own("verify_1x"),
                        world.own("other_1"),       "school"};
  for (const std::string& name : others) {
    if (name != "school") world.put(name);
  }

  world.sweep();

  Names sorted = others;
  std::sort(sorted.begin(), sorted.end());
  cr_expect(world.databases() == sorted);
}

Test(scratch_database, what_a_run_under_way_uses_stays_until_that_is_over) {
  Swept world;
  world.put(world.own("verify_1"));
  world.put(world.own("restore_r"));
  world.sql(
      "UPDATE backup SET state = 'verifying' WHERE id = 1;"
      "INSERT INTO restore_run (restore, backup, state, started_at_ms, scratch, finished_at_ms) "
      "SELECT 'r', 1, 'restored', 0, 'rowlock_' || id || '_restore_r', NULL FROM home");
  // Of that moment; the run itself ends when its step does.
  world.sql(
      "INSERT INTO attempt (kind, name, target, step, reason, started_at_ms) VALUES "
      "('backup', 'nightly', '1', 'verify', '', 0), ('restore', 'r', 'r', 'rename', '', 0)");
  world.sweep();
  cr_expect(world.databases() == (Names{world.own("restore_r"), world.own("verify_1"), "school"}));

  world.sql(
      "DELETE FROM attempt WHERE finished_at_ms IS NULL; DELETE FROM restore_run;"
      "UPDATE backup SET state = 'verified' WHERE id = 1");
  world.sweep();
  cr_expect(world.databases() == Names{"school"});
}

// The one who restores it, and a look at the server in the middle of that.
Test(scratch_database, a_look_while_a_backup_is_verified_takes_nothing_away) {
  Backed world;
  bool is_seen = false;
  world.fake_dumps.set_faults([&](const std::string& call, const std::string& database) {
    if (call == "facts" && database.find("_verify_1") != std::string::npos && !is_seen) {
      is_seen = true;
      const std::string listed = "[{\"name\":\"" + database + "\",\"size_bytes\":1}]";
      const auto done = world.rows().run(*world.schema().script("database.sweep.done"),
                                         {{"target", std::string("school")},
                                          {"names", std::string("[]")},
                                          {"databases", listed},
                                          {"now_ms", world.now_ms()}});
      cr_assert(done.ok(), "%s", done.ok() ? "" : done.error().message.c_str());
      expect_is("0", world.text("SELECT count(*) FROM scratch_database"));
    }
    return FaultPlan::none;
  });

  world.run_policy();

  cr_expect(is_seen);
  expect_is("verified", world.states());
}

Test(scratch_database, a_run_of_a_name_that_is_being_dropped_waits) {
  Swept world;
  const auto want = [&] { return world.text("SELECT want FROM backup_fact WHERE id = 1"); };
  world.sql(
      "UPDATE backup SET state = 'stored' WHERE id = 1;"
      "INSERT INTO scratch_database (target, database, name, backup) "
      "VALUES ('school/x', 'school', 'x', 1);"
      "INSERT INTO scratch_database (target, database, name, restore) "
      "VALUES ('school/y', 'school', 'y', 'r');"
      "INSERT INTO restore_run (restore, backup, state, started_at_ms) "
      "VALUES ('r', 1, 'chosen', 0);"
      "INSERT INTO restore (name, policy, into_url) VALUES ('r', 'nightly', "
      "'postgresql://admin@10.0.0.1:5432/again')");
  expect_is("verify", want());
  world.sql(
      "INSERT INTO attempt (kind, name, target, step, reason, started_at_ms) VALUES "
      "('scratch_database', 'school', 'school/x', 'drop', '', 0), "
      "('scratch_database', 'school', 'school/y', 'drop', '', 0)");
  expect_is("left", want());
  expect_is("barred", world.text("SELECT state FROM restore_fact"));

  world.sql("DELETE FROM attempt WHERE finished_at_ms IS NULL; DELETE FROM scratch_database");
  expect_is("verify", want());
  expect_is("chosen", world.text("SELECT state FROM restore_fact"));
}

Test(scratch_database, what_an_older_rowlock_left_goes_when_an_own_row_says_so) {
  Swept world;
  world.put("rowlock_verify_1");
  world.put("rowlock_restore_r_1");
  world.put("rowlock_verify_2");
  world.sql(
      "UPDATE backup SET scratch = 'rowlock_verify_1' WHERE id = 1;"
      "INSERT INTO restore_run (restore, backup, state, started_at_ms, server_url) "
      "VALUES ('r-1', 1, 'failed', 0, 'postgresql://admin@10.0.0.1:5432/x');"
      "INSERT INTO restore (name, policy, into_url) VALUES ('r-1', 'nightly', "
      "'postgresql://admin@10.0.0.1:5432/x')");
  world.begin_again();

  world.sweep();

  cr_expect(world.databases() == (Names{"rowlock_verify_2", "school"}));
}

Test(scratch_database, a_restore_that_an_older_rowlock_began_goes_on_under_its_name) {
  Swept world;
  world.put("rowlock_restore_r");
  world.sql(
      "INSERT INTO restore_run (restore, backup, state, started_at_ms, restore_ms, server_url) "
      "VALUES ('r', 1, 'restored', 0, 1, 'postgresql://admin@10.0.0.1:5432/again');"
      "INSERT INTO restore (name, policy, into_url) VALUES ('r', 'nightly', "
      "'postgresql://admin@10.0.0.1:5432/again')");
  world.begin_again();

  world.settle();

  expect_is("done", world.text("SELECT state FROM restore_run"));
  cr_expect(world.databases() == (Names{"again", "school"}));
}

Test(scratch_database, one_that_cannot_be_dropped_is_said_and_tried_again) {
  Swept world;
  const std::string name = world.own("verify_77");
  world.put(name);
  world.fake_dumps.set_faults([](const std::string& call, const std::string&) {
    return call == "drop" ? FaultPlan::fail_before : FaultPlan::none;
  });

  world.sweep();

  expect_in("was left behind by a run, and cannot be dropped",
            world.text("SELECT reason FROM why WHERE kind = 'scratch_database'"));
  expect_is("drop failed", world.text("SELECT what FROM event WHERE kind = 'scratch_database'"));
  world.fake_dumps.set_faults(nullptr);
  world.wait_out();
  world.wait_out();
  cr_expect(world.databases() == Names{"school"});
}

Test(scratch_database, the_longest_name_is_one_that_a_server_takes) {
  Swept world;
  world.sql("INSERT INTO restore_run (restore, backup, state, started_at_ms) VALUES ('" +
            std::string(40, 'r') + "', 1, 'chosen', 0)");
  expect_is("1", world.text("SELECT max(length(scratch)) <= 63 FROM restore_scratch"));
}
