// Many policies that are due in the same minute: so many runs at a time, the others after them.
#include "tests/schema/backups/backed_world.h"

#include <algorithm>

using namespace rowlock;

namespace {

struct Crowd : Backed {
  int most_on_machine = 0;
  int most_on_server = 0;

  // So many databases, each with a policy, on the servers in turn.
  explicit Crowd(int databases, int servers) {
    for (int i = 0; i < databases; ++i) {
      const std::string server = fmt::format("postgresql://admin@10.0.1.{}:5432", i % servers);
      const std::string name = fmt::format("db-{}", i);
      fake_dumps.put_database(server, name, {{"public.pupil", {"ann"}}});
      sql(
          fmt::format("INSERT INTO database (name, url) VALUES ('{0}', '{1}/{0}');"
                      "INSERT INTO backup_policy (name, database, store) VALUES ('{0}', '{0}', "
                      "'files')",
                      name, server));
    }
    after_step = [this] {
      most_on_machine = std::max(most_on_machine, count(""));
      most_on_server =
          std::max(most_on_server,
                   static_cast<int>(number("SELECT COALESCE(max(n), 0) FROM (SELECT count(*) "
                                           "AS n FROM backup_crowd WHERE is_under_way GROUP "
                                           "BY server)")));
    };
  }

  int count(const std::string& where) {
    return static_cast<int>(number("SELECT count(*) FROM backup_crowd WHERE is_under_way" + where));
  }
  // What the plan would begin now, with none of it under way.
  int planned() {
    return static_cast<int>(
        number("SELECT count(*) FROM plan WHERE kind = 'backup' AND step IN ('run', 'verify')"));
  }
  // Makes them due without running any.
  void make_due() {
    sql("INSERT INTO backup (name, policy, store, kind, source, object, reason, due_at_ms) "
        "SELECT name || '-1', name, store, kind, database, 'x/' || name, 'scheduled', 0 "
        "FROM backup_policy WHERE name GLOB 'db-*'");
    sql("INSERT INTO dirty SELECT name FROM backup_policy");
  }
};

}  // namespace

Test(backup_limit, a_hundred_that_are_due_are_begun_a_few_at_a_time) {
  Crowd world(100, 100);
  world.make_due();
  cr_expect_eq(world.planned(), 4, "%d", world.planned());
  expect_in("others are under way: backup_limit", world.text("SELECT DISTINCT reason FROM plan"));

  world.sql("INSERT INTO backup_limit (runs) VALUES (7)");
  cr_expect_eq(world.planned(), 7);
}

Test(backup_limit, of_one_server_fewer) {
  Crowd world(12, 1);
  world.make_due();
  cr_expect_eq(world.planned(), 2);
  world.sql("INSERT INTO backup_limit (runs_per_server) VALUES (3)");
  cr_expect_eq(world.planned(), 3);
}

Test(backup_limit, all_come_to_their_end) {
  Crowd world(20, 3);
  world.settle();
  expect_is("20", world.text("SELECT count(*) FROM backup WHERE state = 'verified'"));
  cr_expect_leq(world.most_on_machine, 4);
  cr_expect_leq(world.most_on_server, 2);
}

// Who cannot run takes nobody's place.
Test(backup_limit, one_that_waits_for_its_database_keeps_nobody_waiting) {
  Crowd world(3, 1);
  world.sql(
      "INSERT INTO job (name, image, count) VALUES ('db', 'good:1', 0);"
      "UPDATE database SET job = 'db', port = 'pg' WHERE name IN ('db-0', 'db-1')");
  world.make_due();
  expect_is("backup db-2", world.text("SELECT kind || ' ' || name FROM plan WHERE step = 'run'"));
}

Test(backup_limit, jitter_moves_each_policy_by_another_time) {
  Crowd world(10, 10);
  world.sql("UPDATE backup_policy SET jitter_ms = 3600000");
  world.settle();
  world.next_day();

  const std::string spread = world.text(
      "SELECT count(DISTINCT next_at_ms) || ' ' || (max(next_at_ms) - min(next_at_ms) < 3600000) "
      "|| ' ' || (min(next_at_ms) % 86400000 >= 9000000) FROM backup_schedule "
      "WHERE policy GLOB 'db-*'");
  expect_is("10 1 1", spread);
}
