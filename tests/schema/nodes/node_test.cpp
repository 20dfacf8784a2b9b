// What is known of a node, what is not, and what Rowlock keeps its hands off.
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using rowlock::ContainerSpec;
using rowlock::PlanWorld;

namespace {

void converge(PlanWorld& world, int count = 2) {
  world.sql(
      fmt::format("INSERT INTO job (name, image, count) VALUES ('web', 'good:1', {})", count));
  world.settle();
  world.pass_time(12000);
  cr_assert(world.text("SELECT state FROM status WHERE name = 'web'") == "converged");
}

// A container on the engine that no row stands for.
void put(PlanWorld& world, const std::string& name, const std::string& home,
         const std::string& job) {
  ContainerSpec spec;
  spec.name = name;
  spec.home = home;
  spec.job = job;
  spec.image = "good:1";
  spec.network = "bridge";
  cr_assert(world.engine().create(spec).ok());
  cr_assert(world.engine().start(name).ok());
}

}  // namespace

Test(node_plan, a_new_node_is_met_and_looked_at) {
  PlanWorld world;

  const std::string first = world.steps();
  world.turn();
  const std::string second = world.steps();
  world.settle();

  cr_expect(first == "node.meet", "%s", first.c_str());
  cr_expect(second == "node.observe", "%s", second.c_str());
  cr_expect(world.text("SELECT reach, arch, memory_mb FROM node_state") == "reached|amd64|4096");
  cr_expect(world.text("SELECT state FROM status WHERE kind = 'node'") == "converged");
}

Test(node_plan, it_is_looked_at_again_every_five_seconds) {
  PlanWorld world;
  world.settle();
  const std::int64_t looked_at_ms = world.number("SELECT observed_at_ms FROM node_state");

  const std::int64_t due_at_ms =
      world.number("SELECT due_at_ms FROM plan WHERE kind = 'node' AND step = 'wait'");

  cr_expect_eq(due_at_ms - looked_at_ms, 5000);
}

Test(node_plan, while_a_node_is_lost_nothing_is_planned_for_what_runs_there) {
  PlanWorld world;
  converge(world);
  world.lose("local");

  world.sql("UPDATE job SET count = 1, image = 'good:2'");
  world.settle();
  world.pass_time(60000);

  cr_expect(world.text("SELECT DISTINCT step FROM plan WHERE kind = 'instance'") == "wait", "%s",
            world.text("SELECT kind, step, reason FROM plan").c_str());
  cr_expect(world.text("SELECT count(*) FROM instance WHERE run = 1") == "2");
  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "unknown");
  const std::string why = world.text("SELECT reason FROM why WHERE name = 'local'");
  cr_expect(why.find("node local cannot be reached: ") == 0, "%s", why.c_str());
}

Test(node_plan, once_it_is_back_the_plan_goes_on) {
  PlanWorld world;
  converge(world);
  world.lose("local");
  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  world.pass_time(60000);

  world.find("local");
  world.pass_time(40000);

  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "converged", "%s",
            world.text("SELECT kind, name, state, detail FROM status").c_str());
}

Test(node_plan, instances_of_a_lost_node_are_not_started_elsewhere) {
  PlanWorld world({"east", "west"});
  world.settle();
  converge(world);

  world.lose("east");
  world.pass_time(600000);

  cr_expect(world.text("SELECT node, count(*) FROM instance WHERE run = 1 GROUP BY node") ==
            "east|1 west|1");
}

Test(node_plan, a_deleted_node_is_emptied_and_then_forgotten) {
  PlanWorld world({"east", "west"});
  world.settle();
  converge(world);

  world.sql("DELETE FROM node WHERE name = 'east'");
  world.settle();
  world.pass_time(30000);

  cr_expect(
      world.text("SELECT node, count(*) FROM instance WHERE run = 1 GROUP BY node") == "west|2",
      "%s", world.text("SELECT node, run, container FROM instance").c_str());
  for (const auto& container : world.engine("east").containers()) {
    cr_expect(container.state == rowlock::ContainerState::exited, "%s still runs",
              container.name.c_str());
  }
}

Test(node_plan, a_container_of_this_home_without_a_row_is_removed_once_its_job_stands) {
  PlanWorld world;
  converge(world);
  const std::string home = world.text("SELECT id FROM home");

  put(world, "rowlock-" + home + "-lost", home, "web");
  put(world, "rowlock-" + home + "-orphan", home, "deleted-long-ago");
  world.look_at_nodes();
  world.pass_time(6000);

  cr_expect_eq(world.engine().containers().size(), 2, "only the two instances are left");
  cr_expect(world.text("SELECT count(*) FROM stray") == "0");
}

Test(node_plan, a_stray_stays_until_its_job_is_healthy_without_it) {
  PlanWorld world;
  world.sql(
      "INSERT INTO job (name, image) VALUES ('web', 'good:1');"
      "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
      "INSERT INTO job_check (job, name, type, port) VALUES ('web', 'up', 'tcp', 'http')");
  world.settle();

  const std::string home = world.text("SELECT id FROM home");
  put(world, "rowlock-" + home + "-lost", home, "web");
  world.look_at_nodes();
  const std::string before = world.text("SELECT step FROM plan WHERE kind = 'stray'");
  world.check_passes("web", "up");
  world.settle();

  cr_expect(before == "wait", "%s", before.c_str());
  cr_expect_eq(world.engine().containers().size(), 1);
}

Test(node_plan, what_others_made_is_shown_and_left_alone) {
  PlanWorld world;
  world.settle();

  put(world, "somebody-elses", "", "");
  put(world, "another-home", "other1", "web");
  world.look_at_nodes();
  world.pass_time(60000);

  cr_expect_eq(world.engine().containers().size(), 2);
  cr_expect(world.text("SELECT name, state, home FROM unmanaged ORDER BY name") ==
                "another-home|running|other1 somebody-elses|running|",
            "%s", world.text("SELECT name, state, home FROM unmanaged ORDER BY name").c_str());
}

Test(node_plan, a_node_with_another_endpoint_is_met_anew) {
  PlanWorld world({"east", "west"});
  world.settle();

  world.sql("DELETE FROM node WHERE name = 'west'; UPDATE node SET endpoint = 'unix:///west'");
  world.settle();

  cr_expect(world.text("SELECT node, endpoint, reach FROM node_state") ==
            "east|unix:///west|reached");
}
