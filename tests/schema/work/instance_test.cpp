// The life of one instance: how it ends, what comes after it, and how long it is remembered.
#include "controller/outcome.h"
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using rowlock::FaultPlan;
using rowlock::PlanWorld;

namespace {

void converge(PlanWorld& world, const std::string& columns = "", const std::string& values = "") {
  world.sql(
      fmt::format("INSERT INTO job (name, image{}) VALUES ('web', 'good:1'{})", columns, values));
  world.settle();
  world.pass_time(12000);
  cr_assert(world.text("SELECT state FROM status WHERE name = 'web'") == "converged");
}

std::string container(PlanWorld& world) {
  return world.text("SELECT name FROM instance WHERE run = 1");
}

void kill(PlanWorld& world, int exit_code = 1) {
  world.engine().kill(container(world), exit_code);
  world.look_at_nodes();
}

}  // namespace

Test(instance_plan, an_image_that_is_not_on_the_node_is_pulled) {
  PlanWorld world;
  world.engine().add_registry_image("remote:1");
  world.sql("INSERT INTO job (name, image) VALUES ('web', 'remote:1')");

  std::string steps;
  for (std::string next = world.steps(); !next.empty(); next = world.steps()) {
    steps += next + " ";
    world.turn();
  }

  cr_expect(steps.find("instance.resolve instance.create tag.begin instance.pull image.measure "
                       "instance.create instance.start instance.promote") != std::string::npos,
            "%s", steps.c_str());
}

Test(instance_plan,
     the_first_restart_is_at_once_and_each_later_one_twice_as_late_up_to_the_maximum) {
  PlanWorld world;
  converge(world, ", restart_delay_max_ms, restart_reset_ms", ", 5000, 60000");

  std::vector<std::int64_t> delays;
  for (int failure = 0; failure < 6; ++failure) {
    kill(world);
    const std::int64_t failed_at_ms =
        world.number("SELECT max(ended_at_ms) FROM instance WHERE run = 0");
    while (container(world).empty()) {
      const std::int64_t due_at_ms =
          world.number("SELECT due_at_ms FROM plan WHERE kind = 'job' AND step = 'wait'");
      cr_assert_gt(due_at_ms, world.now_ms());
      world.pass_time_without_settling(due_at_ms - world.now_ms());
      world.settle();
    }
    delays.push_back(
        (world.number("SELECT placed_at_ms FROM instance WHERE run = 1") - failed_at_ms) / 500 *
        500);
  }

  cr_expect(delays == (std::vector<std::int64_t>{0, 1000, 2000, 4000, 5000, 5000}),
            "%ld %ld %ld %ld %ld %ld", delays[0], delays[1], delays[2], delays[3], delays[4],
            delays[5]);
}

Test(instance_plan, after_restart_reset_ms_of_health_the_delay_begins_anew) {
  PlanWorld world;
  converge(world, ", restart_reset_ms", ", 30000");
  for (int failure = 0; failure < 4; ++failure) {
    kill(world);
    world.pass_time(10000);
  }

  world.pass_time(31000);
  kill(world);
  const std::string at_once = container(world);
  kill(world);
  const std::string later = container(world);
  world.pass_time(1100);

  cr_expect(!at_once.empty(), "the first failure after a while of health");
  cr_expect(later.empty(), "the second one in a row");
  cr_expect(!container(world).empty());
}

Test(instance_plan, a_new_spec_does_not_wait_for_the_delay_of_the_old_one) {
  PlanWorld world;
  world.engine().add_image("bad:1");
  world.engine().exit_at_once("bad:1", 1);
  world.sql("INSERT INTO job (name, image, restart_delay_ms) VALUES ('web', 'bad:1', 100000)");
  world.settle();
  cr_assert(container(world).empty());

  world.sql("UPDATE job SET image = 'good:1'");
  world.settle();

  cr_expect(!container(world).empty());
}

Test(instance_plan, every_slot_keeps_its_own_delay_however_many_fail) {
  PlanWorld world;
  world.engine().add_image("bad:1");
  world.engine().exit_at_once("bad:1", 1);

  world.sql("INSERT INTO job (name, image, count, failures_max) VALUES ('web', 'bad:1', 8, 1000)");
  world.settle();
  world.pass_time(60000);

  // At 0, 0, 1, 3, 7, 15 and 31 s.
  cr_expect(world.number("SELECT seq FROM sqlite_sequence WHERE name = 'instance'") <= 8 * 7, "%s",
            world.text("SELECT seq FROM sqlite_sequence WHERE name = 'instance'").c_str());
}

Test(instance_plan, three_ended_instances_are_kept_and_the_rest_is_removed_from_the_engine_too) {
  PlanWorld world;
  converge(world, ", restart_delay_ms", ", 0");

  for (int failure = 0; failure < 7; ++failure) {
    kill(world);
  }

  cr_expect(world.text("SELECT count(*) FROM instance WHERE run = 0") == "3");
  cr_expect_eq(world.engine().containers().size(), 4);
  cr_expect(world.text("SELECT min(id) FROM instance") == "5", "the youngest are kept");
}

Test(instance_plan, an_exit_is_explained_with_its_code_and_its_last_lines) {
  PlanWorld world;
  world.engine().add_image("bad:1");
  world.engine().exit_at_once("bad:1", 3);

  world.sql("INSERT INTO job (name, image) VALUES ('web', 'bad:1')");
  world.settle();

  const std::string why =
      world.text("SELECT reason FROM why WHERE name = 'web' AND kind = 'instance'");
  cr_expect(why.find("failed: its process ended with exit code 3") != std::string::npos, "%s",
            why.c_str());
}

Test(instance_plan, a_container_that_is_gone_has_failed_and_another_takes_its_slot) {
  PlanWorld world;
  converge(world);
  const std::string before = container(world);

  world.engine().erase(before);
  world.look_at_nodes();

  cr_expect(container(world) != before && !container(world).empty());
  cr_expect(world.text("SELECT reason FROM instance WHERE verdict = 'failed'") ==
            "its container was removed behind Rowlock's back");
}

Test(instance_plan, a_list_that_lacks_what_is_there_is_not_believed) {
  for (const bool is_empty : {true, false}) {
    PlanWorld world;
    converge(world);
    const std::string before = container(world);
    world.sql("INSERT INTO job (name, image, count) VALUES ('api', 'good:1', 2)");
    world.settle();
    const std::string all = world.text("SELECT group_concat(name) FROM instance");
    world.engine().set_faults([&](const std::string& call, const std::string& name) {
      const bool is_left_out = call == "listed" && (is_empty || name == before);
      return is_left_out ? FaultPlan::fail_before : FaultPlan::none;
    });

    for (int i = 0; i < 3; ++i) world.look_at_nodes();

    cr_expect(world.text("SELECT group_concat(name) FROM instance") == all);
    cr_expect(world.text("SELECT count(*) FROM instance WHERE run = 1 AND container = 'running'") ==
              world.text("SELECT count(*) FROM instance"));
  }
}

Test(instance_plan, what_no_look_finds_is_gone_even_if_no_list_is_whole) {
  PlanWorld world;
  converge(world);
  const std::string before = container(world);
  world.engine().set_faults([](const std::string& call, const std::string&) {
    return call == "listed" ? FaultPlan::fail_before : FaultPlan::none;
  });

  world.engine().erase(before);
  world.look_at_nodes();

  cr_expect(container(world) != before && !container(world).empty());
}

Test(instance_plan, a_paused_container_is_resumed) {
  PlanWorld world;
  converge(world);
  const std::string before = container(world);

  world.engine().pause(before);
  world.look_at_nodes();

  cr_expect(container(world) == before);
  cr_expect(world.engine().inspect(before).value()->state == rowlock::ContainerState::running);
}

Test(instance_plan, a_hint_is_followed_by_a_look) {
  PlanWorld world;
  converge(world);
  const std::string before = container(world);
  world.engine().kill(before, 137);

  world.sql(fmt::format("UPDATE instance SET hinted = 1 WHERE name = '{}'", before));
  const std::string steps = world.steps();
  world.settle();

  cr_expect(steps == "instance.look", "%s", steps.c_str());
  cr_expect(world.text("SELECT reason FROM instance WHERE verdict = 'failed'") ==
            "its process ended with exit code 137");
}

Test(instance_plan, a_step_that_fails_is_tried_again_later_each_time) {
  PlanWorld world;
  int starts = 0;
  world.engine().set_faults([&](const std::string& call, const std::string&) {
    starts += call == "start" ? 1 : 0;
    return call == "start" ? FaultPlan::fail_before : FaultPlan::none;
  });

  world.sql("INSERT INTO job (name, image) VALUES ('web', 'good:1')");
  world.settle();
  world.pass_time(60000);

  cr_expect(starts >= 5 && starts <= 9, "0.5, 1, 2, 4, 8, 16, 32 s: %d starts", starts);
  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "converging");
  cr_expect(!world.text("SELECT reason FROM why WHERE name = 'web' AND kind = 'instance'").empty());
}

Test(instance_plan, a_lost_answer_is_looked_up_and_nothing_is_made_twice) {
  PlanWorld world;
  std::set<std::string> lost;
  world.engine().set_faults([&](const std::string& call, const std::string&) {
    const bool changes = call == "create" || call == "start" || call == "stop" || call == "remove";
    return changes && lost.insert(call).second ? FaultPlan::lose_answer : FaultPlan::none;
  });

  world.sql("INSERT INTO job (name, image) VALUES ('web', 'good:1')");
  world.settle();
  world.pass_time(20000);
  const std::string made = world.text("SELECT state FROM status WHERE name = 'web'");
  world.sql("DELETE FROM job");
  world.settle();
  world.pass_time(20000);

  cr_expect(made == "converged", "%s", made.c_str());
  cr_expect_eq(lost.size(), 4);
  cr_expect(world.engine().containers().empty());
  cr_expect(world.text("SELECT count(*) FROM instance") == "0");
}

Test(instance_plan, a_stop_that_is_rejected_is_tried_again_late_and_not_at_once) {
  PlanWorld world;
  converge(world);
  for (const char* verdict : {"stopped", "failed"}) {
    world.sql("SAVEPOINT before");
    world.sql(fmt::format("UPDATE instance SET run = 0, verdict = '{}', ended_at_ms = 0", verdict));
    const rowlock::Step stop{"instance", "web", "1", "stop", "", {}, {}};
    const auto rejected = rowlock::record_outcome(
        world.rows(), world.schema(), stop,
        rowlock::Outcome::of({rowlock::Fault::rejected, rowlock::Cause::other, "no", ""}),
        world.now_ms(), world.now_ms());

    cr_expect(rejected.ok());
    cr_expect(world.text("SELECT step FROM plan WHERE kind = 'instance'") == "wait", "%s: %s",
              verdict, world.text("SELECT step FROM plan WHERE kind = 'instance'").c_str());
    world.sql("ROLLBACK TO before; RELEASE before");
  }
}

Test(instance_plan, one_under_way_is_left_alone) {
  PlanWorld world;
  world.sql("INSERT INTO job (name, image) VALUES ('web', 'good:1')");
  world.settle();

  world.sql(
      "INSERT INTO attempt (kind, name, target, step, reason, started_at_ms) VALUES ('instance', "
      "'web', '1', 'x', '', 0);"
      "UPDATE instance SET container = 'exited'");

  cr_expect(world.text("SELECT step FROM plan WHERE kind = 'instance'").empty());
}

Test(instance_plan, one_on_a_deleted_node_keeps_no_place_from_those_that_stay) {
  PlanWorld world({"local", "north"});
  world.look_at_nodes();
  world.sql("INSERT INTO job (name, image, count, min_healthy_ms) VALUES ('web', 'good:1', 2, 0)");
  world.settle();
  world.pass_time(12000);
  cr_assert(world.text("SELECT node FROM instance ORDER BY node") == "local north");
  world.sql("UPDATE instance SET healthy_at_ms = healthy_at_ms + 1 WHERE node = 'local'");

  world.sql("DELETE FROM node WHERE name = 'north'; UPDATE job SET image = 'good:2', count = 1");
  world.turn();

  cr_expect(world.text("SELECT run FROM instance WHERE node = 'local' AND id <= 2") == "1");
}
