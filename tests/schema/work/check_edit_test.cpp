// An edit of a check is proven on one instance first: until one has passed it as it is now, what it
// asked before counts.
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>

using rowlock::PlanWorld;

namespace {

// Three instances of a job that is rolled out, each having passed check up.
void roll_out(PlanWorld& world) {
  world.sql(
      "INSERT INTO job (name, image, count, max_parallel, min_healthy_ms) "
      "VALUES ('web', 'good:1', 3, 3, 0);"
      "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
      "INSERT INTO job_check (job, name, type, port, path, passes, failures) "
      "VALUES ('web', 'up', 'http', 'http', '/up', 2, 2)");
  for (int i = 0; i < 4; ++i) {
    world.settle();
    world.check_passes("web", "up");
  }
  world.pass_time(10'000);
}

std::string asked(PlanWorld& world) {
  return world.text(
      "SELECT name, path, count(*) FROM check_target WHERE job = 'web' GROUP BY name, path");
}

std::string states(PlanWorld& world) {
  return world.text(
      "SELECT state, count(*) FROM instance_fact WHERE name = 'web' AND role = 'keep' "
      "GROUP BY state");
}

std::string why(PlanWorld& world) {
  return world.text("SELECT reason FROM why WHERE kind = 'check' AND name = 'web'");
}

void fail_often(PlanWorld& world, const std::string& check) {
  for (int i = 0; i < 5; ++i) {
    world.check_fails("web", check);
    world.settle();
  }
}

}  // namespace

Test(check_edit, one_instance_is_asked_what_an_edited_check_asks_now) {
  PlanWorld world;
  roll_out(world);
  const std::string before = asked(world);

  world.edit("UPDATE job_check SET path = '/wrong' WHERE job = 'web'");
  world.settle();

  cr_expect(before == "up|/up|3", "%s", before.c_str());
  cr_expect(asked(world) == "edited:up|/wrong|1 up|/up|3", "%s", asked(world).c_str());
}

Test(check_edit, an_edit_that_nobody_passes_takes_out_nobody_and_is_said) {
  PlanWorld world;
  roll_out(world);
  world.edit("UPDATE job_check SET path = '/wrong' WHERE job = 'web'");
  world.settle();

  fail_often(world, "edited:up");
  world.pass_time(600'000);

  cr_expect(states(world) == "proven|3", "%s", states(world).c_str());
  cr_expect(why(world).find("check up was edited, and ") != std::string::npos, "%s",
            why(world).c_str());
  cr_expect(
      why(world).find("HTTP 503; until then what it asked before counts") != std::string::npos,
      "%s", why(world).c_str());
  const std::string status = world.text("SELECT state, detail FROM status WHERE name = 'web'");
  cr_expect(
      status == "converged|3/3 healthy, its check up as it was edited has not been passed yet",
      "%s", status.c_str());
}

Test(check_edit, what_it_asked_before_counts_until_then) {
  PlanWorld world;
  roll_out(world);
  world.edit("UPDATE job_check SET path = '/wrong' WHERE job = 'web'");
  world.settle();

  world.check_fails("web", "up");
  world.check_fails("web", "up");

  cr_expect(states(world).starts_with("ailing|") || states(world).starts_with("failing|"), "%s",
            states(world).c_str());
}

Test(check_edit, it_counts_for_all_once_one_has_passed_it_as_often_as_it_asks) {
  PlanWorld world;
  roll_out(world);
  world.edit("UPDATE job_check SET path = '/better' WHERE job = 'web'");
  world.settle();
  world.check_fails("web", "up");  // Of the former question: it is forgotten with that.

  world.check_passes("web", "edited:up");
  const std::string once = asked(world);
  world.check_passes("web", "edited:up");
  world.settle();
  const std::string twice = asked(world);
  world.check_fails("web", "up");
  const std::string one_failure = states(world);
  world.check_fails("web", "up");

  cr_expect(once == "edited:up|/better|1 up|/up|3", "%s", once.c_str());
  cr_expect(twice == "up|/better|3", "%s", twice.c_str());
  cr_expect(one_failure == "proven|3", "%s", one_failure.c_str());
  cr_expect(states(world) != "proven|3", "%s", states(world).c_str());
  cr_expect(world.text("SELECT count(*) FROM event WHERE kind = 'check' AND what = 'proven'") ==
            "1");
}

Test(check_edit, a_second_edit_begins_from_zero) {
  PlanWorld world;
  roll_out(world);
  world.edit("UPDATE job_check SET path = '/first' WHERE job = 'web'");
  world.settle();
  world.check_passes("web", "edited:up");

  world.edit("UPDATE job_check SET path = '/second' WHERE job = 'web'");
  world.settle();
  world.check_passes("web", "edited:up");
  const std::string once = asked(world);
  world.check_passes("web", "edited:up");

  cr_expect(once == "edited:up|/second|1 up|/up|3", "%s", once.c_str());
  cr_expect(asked(world) == "up|/second|3", "%s", asked(world).c_str());
}

Test(check_edit, putting_it_back_ends_the_trial) {
  PlanWorld world;
  roll_out(world);
  world.edit("UPDATE job_check SET path = '/wrong' WHERE job = 'web'");
  world.settle();
  world.check_fails("web", "edited:up");

  world.edit("UPDATE job_check SET path = '/up' WHERE job = 'web'");
  world.settle();

  cr_expect(asked(world) == "up|/up|3", "%s", asked(world).c_str());
  cr_expect(why(world).empty(), "%s", why(world).c_str());
}

Test(check_edit, how_often_and_what_follows_counts_at_once) {
  PlanWorld world;
  roll_out(world);

  world.edit("UPDATE job_check SET failures = 1, passes = 1, interval_ms = 700 WHERE job = 'web'");
  world.settle();
  const std::string now = world.text("SELECT DISTINCT interval_ms, passes FROM check_target");
  world.check_fails("web", "up");

  cr_expect(now == "700|1", "%s", now.c_str());
  cr_expect(states(world) != "proven|3", "%s", states(world).c_str());
}

Test(check_edit, a_new_check_that_nobody_passes_takes_out_nobody) {
  PlanWorld world;
  roll_out(world);
  world.edit(
      "INSERT INTO job_check (job, name, type, port, path, failures) "
      "VALUES ('web', 'new', 'http', 'http', '/wrong', 1)");
  world.settle();

  fail_often(world, "new");

  cr_expect(states(world) == "proven|3", "%s", states(world).c_str());
  cr_expect(why(world).find("it is new: nothing follows from it until an instance has passed it") !=
                std::string::npos,
            "%s", why(world).c_str());

  world.check_passes("web", "new");
  world.check_fails("web", "new");
  cr_expect(states(world) != "proven|3", "%s", states(world).c_str());
}

Test(check_edit, who_replaces_one_that_died_need_not_pass_what_nobody_has_passed) {
  PlanWorld world;
  roll_out(world);
  world.edit(
      "UPDATE job_check SET path = '/wrong' WHERE job = 'web';"
      "INSERT INTO job_check (job, name, type, port, path) "
      "VALUES ('web', 'new', 'http', 'http', '/wrong')");
  world.settle();

  world.engine().kill(world.text("SELECT name FROM instance WHERE slot = 1"), 1);
  world.look_at_nodes();
  world.settle();
  world.pass_time(5'000);
  for (int i = 0; i < 3; ++i) {
    world.check_passes("web", "up");
    world.check_fails("web", "new");
    world.settle();
  }
  world.pass_time(10'000);

  cr_expect(states(world) == "proven|3", "%s", states(world).c_str());
}

Test(check_edit, a_spec_that_is_rolled_out_with_it_must_pass_it_and_the_former_one_need_not) {
  PlanWorld world;
  roll_out(world);
  world.edit(
      "UPDATE job SET image = 'good:2', max_parallel = 1 WHERE name = 'web';"
      "UPDATE job_check SET path = '/of-2' WHERE job = 'web'");
  world.settle();

  const std::string both = world.text(
      "SELECT DISTINCT t.path FROM check_target AS t JOIN instance AS i ON i.id = t.instance "
      "JOIN deployment AS d ON d.current = 1 WHERE t.name = 'up' ORDER BY i.spec = d.spec");

  cr_expect(both == "/up /of-2", "%s", both.c_str());
}
