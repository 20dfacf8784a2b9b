// How a new spec takes over from the old one, and what happens when it cannot.
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using rowlock::PlanWorld;

namespace {

// A job that has converged on good:1.
void converge(PlanWorld& world, const std::string& columns = "", const std::string& values = "") {
  world.sql(
      fmt::format("INSERT INTO job (name, image{}) VALUES ('web', 'good:1'{})", columns, values));
  world.settle();
  world.pass_time(12000);
  cr_assert(world.text("SELECT state FROM status WHERE name = 'web'") == "converged");
}

// How many live instances of each image: "old+new".
std::string live(PlanWorld& world) {
  return world.text(
      "SELECT count(*) FILTER (WHERE json_extract(s.body, '$.image') = 'good:1') || '+' || "
      "count(*) FILTER (WHERE json_extract(s.body, '$.image') <> 'good:1') "
      "FROM instance AS i JOIN spec AS s ON s.id = i.spec WHERE i.run = 1");
}

// The same over time: a state each time it changes.
std::string course(PlanWorld& world, std::int64_t ms) {
  std::string seen = live(world);
  std::string last = seen;
  for (std::int64_t passed = 0; passed < ms; passed += 1000) {
    world.pass_time(1000);
    if (const std::string now = live(world); now != last) {
      seen += " " + now;
      last = now;
    }
  }
  return seen;
}

std::string deployments(PlanWorld& world) {
  return world.text(
      "SELECT d.cause, json_extract(s.body, '$.image'), d.state FROM deployment AS d JOIN spec AS "
      "s ON s.id = d.spec "
      "ORDER BY d.id");
}

}  // namespace

Test(deployment_plan,
     start_first_replaces_one_by_one_and_each_old_one_stays_until_a_new_one_is_proven) {
  PlanWorld world;
  converge(world, ", count", ", 3");

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  const std::string seen = course(world, 40000);

  cr_expect(seen == "3+1 2+2 1+3 0+3", "%s", seen.c_str());
  cr_expect(world.text("SELECT state, detail FROM status WHERE name = 'web'") ==
            "converged|3/3 healthy");
}

Test(deployment_plan, start_first_with_max_parallel_two_replaces_two_at_a_time) {
  PlanWorld world;
  converge(world, ", count, max_parallel", ", 4, 2");

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  const std::string seen = course(world, 40000);

  cr_expect(seen == "4+2 2+4 0+4", "%s", seen.c_str());
}

Test(deployment_plan, stop_first_never_has_more_than_count) {
  PlanWorld world;
  converge(world, ", count, update_order", ", 2, 'stop_first'");

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  std::int64_t most = 0;
  world.after_step = [&] {
    most =
        std::max(most, world.number("SELECT count(*) FROM instance WHERE container = 'running'"));
  };
  const std::string seen = course(world, 40000);

  cr_expect(seen == "1+1 0+2", "%s", seen.c_str());
  cr_expect_eq(most, 2);
  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "converged");
}

Test(deployment_plan, stop_first_makes_the_new_one_first_and_starts_it_once_the_old_one_has_ended) {
  PlanWorld world;
  converge(world, ", update_order", ", 'stop_first'");
  std::string made;
  world.after_step = [&] {
    made += " " + world.text("SELECT group_concat(container, '+') FROM instance");
  };

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();

  const std::string wanted = "running+created running+created exited+created";
  cr_expect(made.find(wanted) != std::string::npos, "%s", made.c_str());
  cr_expect(made.find("running+running") == std::string::npos, "%s", made.c_str());
}

Test(deployment_plan, max_parallel_that_is_lowered_on_the_way_counts_at_once) {
  PlanWorld world;
  converge(world, ", count, max_parallel, update_order", ", 3, 3, 'stop_first'");
  std::int64_t least = 3;
  bool is_lowered = false;
  world.after_step = [&] {
    if (!is_lowered && world.number("SELECT count(*) FROM instance WHERE container = 'created'")) {
      is_lowered = true;
      world.sql("UPDATE job SET max_parallel = 1");
    }
    least =
        std::min(least, world.number("SELECT count(*) FROM instance WHERE container = 'running'"));
  };

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  course(world, 60000);

  cr_expect(is_lowered);
  cr_expect_eq(least, 2);
  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "converged");
}

Test(deployment_plan, a_new_instance_counts_only_after_min_healthy_ms) {
  PlanWorld world;
  converge(world, ", min_healthy_ms", ", 5000");

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  world.pass_time(4000);
  const std::string before = live(world);
  world.pass_time(2000);

  cr_expect(before == "1+1", "%s", before.c_str());
  cr_expect(live(world) == "0+1", "%s", live(world).c_str());
}

Test(deployment_plan, another_change_on_the_way_supersedes_the_first) {
  PlanWorld world;
  converge(world, ", count", ", 2");
  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();

  world.sql("UPDATE job SET image = 'good:3'");
  world.settle();
  world.pass_time(40000);

  cr_expect(
      deployments(world) == "edit|good:1|succeeded edit|good:2|superseded edit|good:3|succeeded",
      "%s", deployments(world).c_str());
  cr_expect(live(world) == "0+2");
}

Test(deployment_plan, too_many_failures_go_back_to_the_last_spec_that_was_healthy) {
  PlanWorld world;
  converge(world, ", count", ", 2");
  world.engine().add_image("bad:1");
  world.engine().exit_at_once("bad:1", 1);

  world.sql("UPDATE job SET image = 'bad:1'");
  world.settle();
  world.pass_time(30000);

  cr_expect(deployments(world) == "edit|good:1|succeeded edit|bad:1|failed revert|good:1|succeeded",
            "%s", deployments(world).c_str());
  cr_expect(live(world) == "2+0", "%s", live(world).c_str());
  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "failed");
  const std::string why =
      world.text("SELECT reason FROM why WHERE name = 'web' AND kind = 'deployment'");
  cr_expect(why ==
                "deployment 2 failed: too many instances of the new spec failed: its process ended "
                "with exit code 1; "
                "the last spec that was healthy runs until the row is changed",
            "%s", why.c_str());
}

Test(deployment_plan, a_crash_loop_without_checks_is_no_progress) {
  PlanWorld world;
  converge(world);

  world.sql("UPDATE job SET image = 'good:2'");
  for (int second = 0; second < 60; ++second) {
    world.pass_time(1000);
    for (const auto& container : world.engine().containers()) {
      if (world.engine().named(container.image) == "good:2") {
        world.engine().kill(container.name, 1);  // Healthy for a moment, each time.
      }
    }
    world.look_at_nodes();
  }

  cr_expect(
      deployments(world) == "edit|good:1|succeeded edit|good:2|failed revert|good:1|succeeded",
      "%s", deployments(world).c_str());
}

Test(deployment_plan, failures_are_counted_beyond_the_history_that_is_kept) {
  PlanWorld world;
  world.engine().add_image("bad:1");
  world.engine().exit_at_once("bad:1", 1);

  world.sql("INSERT INTO job (name, image, failures_max) VALUES ('web', 'bad:1', 6)");
  world.settle();
  world.pass_time(120000);

  cr_expect(deployments(world) == "edit|bad:1|failed", "%s", deployments(world).c_str());
}

Test(deployment_plan, no_progress_by_the_deadline_fails_the_deployment) {
  PlanWorld world;
  world.sql(
      "INSERT INTO job (name, image, progress_deadline_ms, healthy_deadline_ms) VALUES ('web', "
      "'good:1', 20000, 90000);"
      "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
      "INSERT INTO job_check (job, name, type, port) VALUES ('web', 'up', 'tcp', 'http')");

  world.settle();
  world.pass_time(19000);
  const std::string before = deployments(world);
  world.pass_time(2000);

  cr_expect(before == "edit|good:1|running", "%s", before.c_str());
  cr_expect(deployments(world) == "edit|good:1|failed", "%s", deployments(world).c_str());
  const std::string status = world.text("SELECT state, detail FROM status WHERE name = 'web'");
  cr_expect(status == "failed|0/1 healthy: no instance became healthy within the progress deadline",
            "%s", status.c_str());
}

Test(deployment_plan, an_instance_that_is_not_healthy_by_its_deadline_has_failed) {
  PlanWorld world;
  world.sql(
      "INSERT INTO job (name, image, healthy_deadline_ms) VALUES ('web', 'good:1', 5000);"
      "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
      "INSERT INTO job_check (job, name, type, port) VALUES ('web', 'up', 'tcp', 'http')");

  world.settle();
  world.pass_time(6000);

  cr_expect(world.text("SELECT reason FROM instance WHERE verdict = 'failed'") ==
            "it was not healthy within healthy_deadline_ms");
}

Test(deployment_plan, a_failed_deployment_that_becomes_healthy_after_all_succeeds) {
  PlanWorld world;
  world.engine().add_image("bad:1");
  world.engine().exit_at_once("bad:1", 1);
  world.sql("INSERT INTO job (name, image) VALUES ('web', 'bad:1')");
  world.settle();
  world.pass_time(20000);
  cr_assert(deployments(world) == "edit|bad:1|failed", "%s", deployments(world).c_str());

  world.engine().run_on("bad:1");
  world.pass_time(60000);

  cr_expect(deployments(world) == "edit|bad:1|succeeded", "%s", deployments(world).c_str());
}

Test(deployment_plan, an_image_that_does_not_exist_is_rejected_once_and_waits_for_the_row) {
  PlanWorld world;

  world.sql("INSERT INTO job (name, image, count) VALUES ('web', 'typo:1', 2)");
  world.settle();
  world.pass_time(60000);

  cr_expect(deployments(world) == "edit|typo:1|failed", "%s", deployments(world).c_str());
  cr_expect(world.number("SELECT count(*) FROM instance") <= 2, "%s",
            world.text("SELECT id FROM instance").c_str());
  const std::string why = world.text("SELECT reason FROM why WHERE name = 'web'");
  cr_expect(why.find("typo:1") != std::string::npos, "%s", why.c_str());
  cr_expect(why.find("the spec was rejected: change the row") != std::string::npos, "%s",
            why.c_str());

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  world.pass_time(12000);
  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "converged");
}

Test(deployment_plan, what_the_registry_lacks_is_tried_again_by_itself_ever_later) {
  PlanWorld world;
  world.sql("INSERT INTO job (name, image, count) VALUES ('web', 'late:1', 2)");
  world.settle();
  world.pass_time(2 * 3600 * 1000);
  const std::int64_t tried = world.number("SELECT max(id) FROM instance");
  // After 1, 2, 4 … minutes, an hour at most: seven times in two hours, two instances each.
  cr_expect(tried >= 12 && tried <= 16, "%ld instances in two hours", tried);
  cr_expect(deployments(world) == "edit|late:1|failed", "%s", deployments(world).c_str());

  world.engine().add_image("late:1");
  world.pass_time(90 * 60 * 1000);

  cr_expect(deployments(world) == "edit|late:1|succeeded", "%s", deployments(world).c_str());
  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "converged");
  cr_expect(world.number("SELECT count(*) FROM retry WHERE name = 'web'") == 0);
}

Test(deployment_plan, whoever_asks_for_another_try_gets_it_at_once) {
  PlanWorld world;
  world.sql("INSERT INTO job (name, image) VALUES ('web', 'late:1')");
  world.settle();
  for (const bool is_there : {false, true}) {  // A second time no later than the first.
    world.pass_time(2000);
    if (is_there) world.engine().add_image("late:1");
    const std::int64_t last = world.number("SELECT max(id) FROM instance");

    cr_assert(world.rows().run(*world.schema().script("retry.ask"), {{"name", "web"}}).ok());
    world.settle();

    cr_expect_eq(world.number("SELECT max(id) FROM instance"), last + 1);
  }
  world.pass_time(12000);

  cr_expect(deployments(world) == "edit|late:1|succeeded", "%s", deployments(world).c_str());
}

Test(deployment_plan, what_an_older_spec_meets_concerns_no_newer_one) {
  for (const bool is_older : {false, true}) {
    PlanWorld world;
    converge(world);
    if (is_older) world.sql("UPDATE job SET image = 'good:2'");
    world.settle();
    world.sql(
        "INSERT INTO retry (kind, target, name, step, tries, detail, rejected, since_ms) "
        "VALUES ('instance', 1, 'web', 'start', 1, 'no such folder', 1, 0)");

    const auto ran = world.rows().run(
        *world.schema().script("instance.rejected"),
        {{"target", "1"}, {"step", "start"}, {"detail", "no such folder"}, {"now_ms", 0}});

    cr_assert(ran.ok(), "%s", ran.ok() ? "" : ran.error().message.c_str());
    cr_expect_eq(world.number("SELECT count(*) FROM retry WHERE kind = 'job'"), is_older ? 0 : 1);

    world.sql(
        "INSERT OR REPLACE INTO retry (kind, target, name, step, tries, detail, rejected, "
        "since_ms) VALUES ('job', 'web', 'web', 'place', 1, 'no such folder', 1, 0)");
    const auto promoted =
        world.rows().run(*world.schema().script("instance.promote"),
                         {{"target", "1"}, {"name", "web"}, {"now_ms", std::int64_t{0}}});
    cr_assert(promoted.ok(), "%s", promoted.ok() ? "" : promoted.error().message.c_str());
    cr_expect_eq(world.number("SELECT count(*) FROM retry WHERE kind = 'job'"), is_older ? 1 : 0);
  }
}

Test(deployment_plan, a_rejected_update_reverts_and_touches_no_healthy_instance) {
  PlanWorld world;
  converge(world, ", count", ", 3");
  const std::string before = world.text("SELECT id FROM instance WHERE run = 1 ORDER BY id");

  world.sql("UPDATE job SET image = 'typo:1'");
  world.settle();
  world.pass_time(15000);

  cr_expect(
      deployments(world) == "edit|good:1|succeeded edit|typo:1|failed revert|good:1|succeeded",
      "%s", deployments(world).c_str());
  cr_expect(world.text("SELECT id FROM instance WHERE run = 1 ORDER BY id") == before);
}

Test(deployment_plan, without_auto_revert_a_failed_deployment_stays_and_the_old_instances_go_on) {
  PlanWorld world;
  converge(world, ", auto_revert", ", 0");

  world.sql("UPDATE job SET image = 'typo:1'");
  world.settle();
  world.pass_time(15000);

  cr_expect(deployments(world) == "edit|good:1|succeeded edit|typo:1|failed", "%s",
            deployments(world).c_str());
  cr_expect(live(world) == "1+0", "%s", live(world).c_str());
}

Test(deployment_plan, between_two_bad_specs_there_is_no_loop) {
  PlanWorld world;
  converge(world);
  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  world.pass_time(30000);
  for (const char* image :
       {"bad:1", "bad:2", "good:1", "good:2"}) {  // What was healthy once is not any more.
    world.engine().add_image(image);
    world.engine().exit_at_once(image, 1);
  }

  world.sql("UPDATE job SET image = 'bad:1'");
  world.settle();
  for (const auto& container : world.engine().containers()) {
    world.engine().kill(container.name, 1);
  }
  world.look_at_nodes();
  world.pass_time(120000);
  const std::string after_first = deployments(world);
  world.sql("UPDATE job SET image = 'bad:2'");
  world.settle();
  world.pass_time(120000);
  const std::string after_second = deployments(world);
  world.pass_time(600000);

  cr_expect(
      after_first ==
          "edit|good:1|succeeded edit|good:2|succeeded edit|bad:1|failed revert|good:2|failed",
      "%s", after_first.c_str());
  cr_expect(after_second == after_first + " edit|bad:2|failed revert|good:2|failed", "%s",
            after_second.c_str());
  cr_expect(deployments(world) == after_second, "%s", deployments(world).c_str());
}

Test(deployment_plan, writing_back_the_healthy_spec_after_a_revert_ends_the_failure) {
  PlanWorld world;
  converge(world);
  world.sql("UPDATE job SET image = 'typo:1'");
  world.settle();
  world.pass_time(12000);

  world.sql("UPDATE job SET image = 'good:1'");
  world.settle();

  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "converged", "%s",
            world.text("SELECT state, detail FROM status").c_str());
  cr_expect(world.text("SELECT id FROM instance WHERE run = 1") == "1", "no instance was replaced");
}

Test(deployment_plan, what_no_deployment_points_to_is_forgotten) {
  PlanWorld world;
  converge(world, ", min_healthy_ms", ", 1");

  for (int i = 0; i < 40; ++i) {
    world.sql("UPDATE job SET restart = restart + 1");
    world.settle();
    world.pass_time(1000);
  }

  cr_expect(world.number("SELECT count(*) FROM deployment") <= 22, "%s",
            world.text("SELECT id FROM deployment").c_str());
  cr_expect(world.number("SELECT count(*) FROM spec") <= 23);
}

Test(deployment_plan, a_deadline_that_passes_while_a_node_is_away_begins_anew_when_it_is_back) {
  PlanWorld world;
  world.sql(
      "INSERT INTO job (name, image, progress_deadline_ms, healthy_deadline_ms) VALUES ('web', "
      "'good:1', 20000, 900000);"
      "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
      "INSERT INTO job_check (job, name, type, port) VALUES ('web', 'up', 'tcp', 'http')");
  world.settle();
  world.lose("local");

  world.pass_time(60000);
  const std::string away = deployments(world);
  const std::string waits =
      world.text("SELECT due_at_ms IS NULL FROM plan WHERE kind = 'deployment' AND step = 'wait'");
  world.find("local");
  world.pass_time(15000);
  const std::string back = deployments(world);
  world.pass_time(10000);

  cr_expect(away == "edit|good:1|running", "%s", away.c_str());
  cr_expect(waits == "1", "a moment that has passed is nothing to wait for: %s", waits.c_str());
  cr_expect(back == "edit|good:1|running", "%s", back.c_str());
  cr_expect(deployments(world) == "edit|good:1|failed", "%s", deployments(world).c_str());
}
