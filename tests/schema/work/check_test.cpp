// When an instance is well: all checks of its job, so many times in a row, counted from zero.
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using rowlock::PlanWorld;

namespace {

// One instance that runs and was not asked anything yet, with these checks.
void start(PlanWorld& world, const std::vector<std::string>& checks) {
  world.sql(
      "INSERT INTO job (name, image) VALUES ('web', 'good:1');"
      "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80), ('web', 'admin', 81)");
  for (const std::string& check : checks) {
    world.sql("INSERT INTO job_check (job, type, port, " + check);
  }
  world.settle();
}

std::string state(PlanWorld& world) {
  return world.text("SELECT state FROM instance_fact WHERE name = 'web'");
}

}  // namespace

Test(check_plan, a_new_instance_is_not_healthy_until_its_check_has_passed) {
  PlanWorld world;
  start(world, {"name) VALUES ('web', 'http', 'http', 'up')"});

  const std::string before = state(world);
  world.check_passes("web", "up");
  const std::string passed = state(world);
  world.settle();

  cr_expect(before == "starting", "%s", before.c_str());
  cr_expect(passed == "passing", "%s", passed.c_str());
  cr_expect(state(world) == "healthy", "%s", state(world).c_str());
}

Test(check_plan, passes_count_in_a_row_and_a_failure_sets_them_back) {
  PlanWorld world;
  start(world, {"name, passes) VALUES ('web', 'http', 'http', 'up', 3)"});

  world.check_passes("web", "up");
  world.check_passes("web", "up");
  world.check_fails("web", "up");
  world.check_passes("web", "up");
  world.check_passes("web", "up");
  const std::string two = state(world);
  world.check_passes("web", "up");

  cr_expect(two == "starting", "%s", two.c_str());
  cr_expect(state(world) == "passing", "%s", state(world).c_str());
}

Test(check_plan, all_checks_must_pass) {
  PlanWorld world;
  start(world, {"name) VALUES ('web', 'http', 'http', 'up')",
                "name) VALUES ('web', 'tcp', 'admin', 'admin')",
                "name) VALUES ('web', 'http', '80', 'ready')"});

  const std::string none = world.text("SELECT unmet FROM instance_rank");
  world.check_passes("web", "up");
  world.check_passes("web", "ready");
  const std::string two = world.text("SELECT unmet FROM instance_rank");
  const std::string before = state(world);
  world.check_passes("web", "admin");

  cr_expect(none == "3", "%s", none.c_str());
  cr_expect(two == "1", "%s", two.c_str());
  cr_expect(before == "starting", "%s", before.c_str());
  cr_expect(state(world) == "passing", "%s", state(world).c_str());
}

Test(check_plan, failures_before_the_first_health_do_not_count_without_grace_ms) {
  PlanWorld world;
  start(world, {"name, failures) VALUES ('web', 'http', 'http', 'up', 2)"});

  for (int i = 0; i < 10; ++i) {
    world.check_fails("web", "up");
  }

  cr_expect(state(world) == "starting", "%s", state(world).c_str());
}

Test(check_plan, failures_count_once_grace_ms_is_over) {
  PlanWorld world;
  start(world, {"name, failures, grace_ms) VALUES ('web', 'http', 'http', 'up', 2, 10000)"});

  world.pass_time(9000);
  world.check_fails("web", "up");
  world.check_fails("web", "up");
  world.check_fails("web", "up");
  const std::string within = state(world);
  world.pass_time(2000);
  world.check_fails("web", "up");
  const std::string one = state(world);
  world.check_fails("web", "up");

  cr_expect(within == "starting", "%s", within.c_str());
  cr_expect(one == "starting", "%s", one.c_str());
  cr_expect(state(world) == "failing", "%s", state(world).c_str());
}

Test(check_plan, a_healthy_instance_fails_after_so_many_failures_in_a_row_and_says_why) {
  PlanWorld world;
  start(world, {"name, failures) VALUES ('web', 'http', 'http', 'up', 3)"});
  world.check_passes("web", "up");
  world.settle();

  world.check_fails("web", "up");
  world.check_fails("web", "up");
  world.check_passes("web", "up");
  world.check_fails("web", "up");
  world.check_fails("web", "up");
  const std::string two = state(world);
  world.check_fails("web", "up");
  world.settle();

  cr_expect(two == "healthy", "%s", two.c_str());
  cr_expect(world.text("SELECT reason FROM instance WHERE verdict = 'failed'") ==
                "its checks fail: up: HTTP 503",
            "%s", world.text("SELECT reason FROM instance").c_str());
}

Test(check_plan, what_a_check_last_said_can_be_read_in_why) {
  PlanWorld world;
  start(world, {"name, passes) VALUES ('web', 'http', 'http', 'up', 2)",
                "name) VALUES ('web', 'tcp', 'admin', 'admin')"});
  world.check_passes("web", "up");
  const std::string instance = world.text("SELECT name FROM instance");

  const std::string why =
      world.text("SELECT reason FROM why WHERE name = 'web' AND kind = 'check' ORDER BY target");

  cr_expect(
      why == fmt::format(
                 "check admin of {0} has not been answered yet check up of {0} passed 1 of 2 times",
                 instance),
      "%s", why.c_str());
}

Test(check_plan, a_probe_goes_to_the_port_by_label_or_number_and_often_until_it_is_healthy) {
  PlanWorld world;
  start(world, {"name) VALUES ('web', 'http', 'http', 'label')",
                "name) VALUES ('web', 'tcp', '81', 'number')"});

  const std::string before =
      world.text("SELECT name, port, interval_ms FROM check_target ORDER BY name");
  world.check_passes("web", "label");
  world.check_passes("web", "number");
  world.settle();
  const std::string after =
      world.text("SELECT name, port, interval_ms FROM check_target ORDER BY name");

  cr_expect(before == "label|80|1000 number|81|1000", "%s", before.c_str());
  cr_expect(after == "label|80|5000 number|81|5000", "%s", after.c_str());
}

Test(check_plan, an_answer_that_says_nothing_new_writes_nothing) {
  PlanWorld world;
  start(world, {"name) VALUES ('web', 'http', 'http', 'up')"});
  world.check_passes("web", "up");
  const std::int64_t since_ms = world.number("SELECT since_ms FROM check_state");

  world.pass_time_without_settling(5000);
  world.check_passes("web", "up");

  cr_expect_eq(world.number("SELECT since_ms FROM check_state"), since_ms);
}

Test(check_plan, an_answer_for_what_no_longer_runs_is_dropped) {
  PlanWorld world;
  start(world, {"name) VALUES ('web', 'http', 'http', 'up')"});

  world.sql("UPDATE instance SET run = 0, verdict = 'stopped'");
  const auto late = world.rows().run(
      *world.schema().script("check.passed"),
      {{"instance", std::int64_t{1}}, {"name", "up"}, {"detail", ""}, {"now_ms", world.now_ms()}});

  cr_expect(late.ok());
  cr_expect(world.text("SELECT count(*) FROM check_state") == "0");
}

// ---- What this machine could not ask ------------------------------------------------------------

Test(check_plan, what_could_not_be_asked_is_neither_a_pass_nor_a_failure) {
  PlanWorld world;
  start(world, {"name, passes, failures) VALUES ('web', 'http', 'http', 'up', 2, 2)"});

  world.check_passes("web", "up");
  for (int i = 0; i < 10; ++i) world.check_unasked("web", "up");
  world.check_passes("web", "up");
  world.settle();
  const std::string passed = state(world);
  world.check_fails("web", "up");
  for (int i = 0; i < 10; ++i) world.check_unasked("web", "up");
  const std::string once = state(world);
  world.check_fails("web", "up");

  cr_expect(passed == "healthy", "%s", passed.c_str());
  cr_expect(once == "healthy", "%s", once.c_str());
  cr_expect(state(world) == "failing", "%s", state(world).c_str());
}

Test(check_plan, nobody_is_late_whom_this_machine_cannot_ask) {
  PlanWorld world;
  start(world, {"name) VALUES ('web', 'http', 'http', 'up')"});

  world.check_unasked("web", "up");
  world.pass_time(3'600'000);
  const std::string unasked = state(world);
  world.check_fails("web", "up");

  cr_expect(unasked == "starting", "%s", unasked.c_str());
  cr_expect(state(world) == "overdue", "%s", state(world).c_str());
}

Test(check_plan, what_cannot_be_asked_is_said_once_and_until_it_is_over) {
  PlanWorld world;
  start(world, {"name) VALUES ('web', 'http', 'http', 'up')",
                "name) VALUES ('web', 'tcp', 'admin', 'admin')"});
  world.check_passes("web", "up");
  world.check_passes("web", "admin");
  world.settle();
  const auto status = [&] {
    return world.text("SELECT state, detail FROM status WHERE name = 'web'");
  };
  const auto metric = [&] {
    return world.text("SELECT value FROM metric WHERE name = 'rowlock_checks_unasked'");
  };

  for (const char* check : {"up", "admin", "up"}) world.check_unasked("web", check);
  const std::string during = status();
  const std::string counted = metric();
  const std::string why = world.text("SELECT reason FROM why WHERE kind = 'check' LIMIT 1");
  world.check_passes("web", "up");
  world.check_passes("web", "admin");

  cr_expect(during.starts_with("unknown|") && during.ends_with("too many open files"), "%s",
            during.c_str());
  cr_expect(counted == "2", "%s", counted.c_str());
  cr_expect(why.find("cannot be asked") != std::string::npos, "%s", why.c_str());
  cr_expect(world.text("SELECT count(*) FROM event WHERE what = 'unasked'") == "1");
  cr_expect(status().find("open files") == std::string::npos, "%s", status().c_str());
  cr_expect(metric() == "0", "%s", metric().c_str());
}
