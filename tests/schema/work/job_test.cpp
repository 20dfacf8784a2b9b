// A job's count and spec, and the instances that follow from them.
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>

using rowlock::PlanWorld;

namespace {

const char* const kLive =
    "SELECT i.slot, json_extract(s.body, '$.image'), i.container FROM instance AS i JOIN spec AS s "
    "ON s.id = i.spec "
    "WHERE i.run = 1 ORDER BY i.job, i.slot";

}  // namespace

Test(job_plan, a_new_job_is_deployed_and_placed_count_times) {
  PlanWorld world;
  world.settle();

  world.sql("INSERT INTO job (name, image, count) VALUES ('web', 'good:1', 3)");

  cr_expect(world.steps() == "job.deploy", "%s", world.steps().c_str());
  world.turn();
  cr_expect(world.steps() == "job.place job.place job.place", "%s", world.steps().c_str());
  world.turn();
  cr_expect(world.steps() == "instance.resolve instance.resolve instance.resolve", "%s",
            world.steps().c_str());
  world.turn();
  cr_expect(world.steps() == "instance.create instance.create instance.create tag.begin", "%s",
            world.steps().c_str());
  world.settle();
  cr_expect(world.text(kLive) == "0|good:1|running 1|good:1|running 2|good:1|running", "%s",
            world.text(kLive).c_str());
  cr_expect_eq(world.engine().containers().size(), 3);
}

Test(job_plan, a_new_job_has_converged_once_every_instance_was_healthy_for_min_healthy_ms) {
  PlanWorld world;
  world.sql("INSERT INTO job (name, image, count) VALUES ('web', 'good:1', 2)");

  world.settle();
  const std::string at_first = world.text("SELECT state, detail FROM status WHERE name = 'web'");
  world.pass_time(9000);
  const std::string before = world.text("SELECT state FROM deployment");
  world.pass_time(2000);

  cr_expect(at_first == "converging|0/2 healthy", "%s", at_first.c_str());
  cr_expect(before == "running", "%s", before.c_str());
  cr_expect(world.text("SELECT state FROM deployment") == "succeeded");
  cr_expect(world.text("SELECT state, detail FROM status WHERE name = 'web'") ==
            "converged|2/2 healthy");
  cr_expect(world.text("SELECT * FROM why WHERE name = 'web'").empty());
  cr_expect(world.steps().empty());
}

Test(job_plan, a_job_that_wants_no_instance_converges_with_none) {
  PlanWorld world;

  world.sql("INSERT INTO job (name, image, count) VALUES ('web', 'good:1', 0)");
  world.settle();

  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "converged");
  cr_expect(world.engine().containers().empty());
}

Test(job_plan, a_higher_count_adds_instances_and_leaves_the_others_alone) {
  PlanWorld world;
  world.sql("INSERT INTO job (name, image, count) VALUES ('web', 'good:1', 1)");
  world.settle();
  world.pass_time(11000);

  world.sql("UPDATE job SET count = 3");
  world.settle();

  cr_expect(world.text("SELECT id, slot FROM instance WHERE run = 1 ORDER BY id") == "1|0 2|1 3|2");
  cr_expect(world.text("SELECT count(*) FROM deployment") == "1", "a count is no spec");
}

Test(job_plan, a_lower_count_retires_those_that_are_not_healthy_first_and_then_the_youngest) {
  PlanWorld world;
  world.sql("INSERT INTO job (name, image, count) VALUES ('web', 'good:1', 2)");
  world.settle();
  world.pass_time(5000);
  world.sql("UPDATE job SET count = 4");
  world.settle();
  world.sql("UPDATE instance SET healthy_at_ms = NULL, container = 'created' WHERE id = 1");

  world.sql("UPDATE job SET count = 2");

  const std::string retired =
      world.text("SELECT target FROM plan WHERE step = 'retire' ORDER BY target");
  cr_expect(retired == "1 4", "%s", retired.c_str());
}

Test(job_plan, an_instance_that_is_not_wanted_is_stopped_and_removed) {
  PlanWorld world;
  world.sql("INSERT INTO job (name, image) VALUES ('web', 'good:1')");
  world.settle();

  world.sql("UPDATE job SET count = 0");
  std::string steps;
  for (std::string next = world.steps(); !next.empty(); next = world.steps()) {
    steps += (steps.empty() ? "" : ", ") + next;
    world.turn();
  }

  cr_expect(
      steps ==
          "instance.retire, instance.stop, deployment.succeed instance.remove, instance.forget",
      "%s", steps.c_str());
  cr_expect(world.engine().containers().empty());
  cr_expect(world.text("SELECT count(*) FROM instance") == "0");
}

Test(job_plan, a_deleted_job_leaves_nothing_behind) {
  PlanWorld world;
  world.sql(
      "INSERT INTO job (name, image, count) VALUES ('web', 'good:1', 2), ('api', 'good:2', 1)");
  world.settle();

  world.sql("DELETE FROM job WHERE name = 'web'");
  const std::string status = world.text("SELECT state, detail FROM status WHERE name = 'web'");
  world.settle();

  cr_expect(status == "converging|is being removed", "%s", status.c_str());
  cr_expect_eq(world.engine().containers().size(), 1, "only that of the other job is left");
  cr_expect(world.text("SELECT count(*) FROM instance WHERE job = 'web'") == "0");
  cr_expect(world.text("SELECT count(*) FROM deployment WHERE job = 'web'") == "0");
  cr_expect(world.text("SELECT count(*) FROM spec WHERE job = 'web'") == "0");
  cr_expect(world.text("SELECT count(*) FROM status WHERE name = 'web'") == "0");
}

Test(job_plan, a_job_that_comes_back_while_it_is_removed_is_placed_anew) {
  PlanWorld world;
  world.sql("INSERT INTO job (name, image) VALUES ('web', 'good:1')");
  world.settle();
  world.sql("DELETE FROM job");
  world.turn();

  world.sql("INSERT INTO job (name, image) VALUES ('web', 'good:1')");
  world.settle();

  cr_expect(world.text(kLive) == "0|good:1|running", "%s", world.text(kLive).c_str());
}

Test(job_plan, every_part_of_the_spec_asks_for_new_instances_and_nothing_else_does) {
  PlanWorld world;
  world.sql(
      "INSERT INTO job (name, image) VALUES ('web', 'good:1');"
      "INSERT INTO job_check (job, name, type, port) VALUES ('web', 'up', 'tcp', 'http');"
      "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80)");
  world.settle();

  for (const char* edit :
       {"UPDATE job SET image = 'good:2'", "UPDATE job SET command = '[\"sleep\"]'",
        "UPDATE job SET user = 'nobody'", "UPDATE job SET network = 'host'",
        "UPDATE job SET cpus = 1", "UPDATE job SET memory_mb = 64", "UPDATE job SET pids_max = 9",
        "UPDATE job SET capabilities = '[\"CHOWN\"]'", "UPDATE job SET new_privileges = 1",
        "UPDATE job SET read_only_root = 0", "UPDATE job SET read_only_tmpfs = 0",
        "UPDATE job SET cpu_shares = 100", "UPDATE job SET memory_max_mb = 64",
        "UPDATE job SET restart = restart + 1",
        "INSERT INTO job_env (job, name) VALUES ('web', 'A')", "UPDATE job_port SET port = 81",
        "INSERT INTO job_mount (job, path, source) VALUES ('web', '/data', 'data')"}) {
    world.sql(std::string("SAVEPOINT edit; ") + edit);
    cr_expect(world.steps() == "job.deploy", "%s: %s", edit, world.steps().c_str());
    world.sql("ROLLBACK TO edit; RELEASE edit");
  }
  for (const char* edit :
       {"UPDATE job SET min_healthy_ms = 1", "UPDATE job SET max_parallel = 2",
        "UPDATE job SET stop_signal = 'SIGINT'", "UPDATE job SET restart_delay_ms = 5",
        "UPDATE job SET auto_revert = 0", "UPDATE job_check SET interval_ms = 999",
        "UPDATE job SET update_order = 'stop_first'"}) {
    world.sql(std::string("SAVEPOINT edit; ") + edit);
    cr_expect(world.text("SELECT count(*) FROM plan WHERE step = 'deploy'") == "0", "%s", edit);
    world.sql("ROLLBACK TO edit; RELEASE edit");
  }
}

Test(job_plan, instances_spread_over_the_nodes_that_meet_the_constraints) {
  PlanWorld world({"east", "north", "west"});
  world.sql("UPDATE node SET site = name");
  world.settle();

  world.sql(
      "INSERT INTO job (name, image, count) VALUES ('web', 'good:1', 4);"
      "INSERT INTO job_constraint (job, attribute, operator, value) VALUES ('web', 'site', '!=', "
      "'north')");
  world.settle();

  const std::string spread =
      world.text("SELECT node, count(*) FROM instance GROUP BY node ORDER BY node");
  cr_expect(spread == "east|2 west|2", "%s", spread.c_str());
}

Test(job_plan, when_no_node_can_take_an_instance_why_names_what_stands_in_the_way_of_each) {
  PlanWorld world({"big", "closed", "lost"});
  world.sql("UPDATE node SET eligible = 0 WHERE name = 'closed'");
  world.settle();
  world.lose("lost");

  world.sql("INSERT INTO job (name, image, memory_mb) VALUES ('web', 'good:1', 9000)");
  world.settle();

  const std::string why =
      world.text("SELECT reason FROM why WHERE name = 'web' AND kind = 'job' ORDER BY target");
  cr_expect(why ==
                "no instance can be placed on node big: it has 4096 MB, the job asks for 9000 MB "
                "no instance can be placed on node closed: it is not eligible "
                "no instance can be placed on node lost: it cannot be reached",
            "%s", why.c_str());
  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "waiting");
}

Test(job_plan, two_instances_do_not_share_the_room_of_one) {
  PlanWorld world;
  world.settle();

  world.sql("INSERT INTO job (name, image, count, memory_mb) VALUES ('web', 'good:1', 2, 3000)");
  world.settle();

  cr_expect(world.text("SELECT count(*) FROM instance") == "1", "%s",
            world.text("SELECT * FROM instance").c_str());
  const std::string why = world.text("SELECT reason FROM why WHERE name = 'web' AND kind = 'job'");
  cr_expect(
      why ==
          "no instance can be placed on node local: it has no 3000 MB left that are not reserved",
      "%s", why.c_str());
}

Test(job_plan, a_home_without_a_node_says_so) {
  PlanWorld world(std::vector<std::string>{});

  world.sql("INSERT INTO job (name, image) VALUES ('web', 'good:1')");
  world.settle();

  const std::string why =
      world.text("SELECT reason FROM why WHERE name = 'web' AND kind = 'job' AND target = 'web'");
  cr_expect(
      why == "no instance can be placed: there is no node; INSERT INTO node(name) VALUES ('local')",
      "%s", why.c_str());
}
