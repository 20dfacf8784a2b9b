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
void put(PlanWorld& world, const std::string& name, const std::string& home, const std::string& job,
         const std::string& nonce = "", int instance = 0) {
  ContainerSpec spec;
  spec.nonce = nonce;
  spec.instance = std::to_string(instance);
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

  world.sql("INSERT INTO let_go (instance, nonce) VALUES (1001, 'a'), (1002, 'b')");
  put(world, "rowlock-" + home + "-lost", home, "web", "a", 1001);
  put(world, "rowlock-" + home + "-orphan", home, "deleted-long-ago", "b", 1002);
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
  world.sql("INSERT INTO let_go (instance, nonce) VALUES (1001, 'a')");
  put(world, "rowlock-" + home + "-lost", home, "web", "a", 1001);
  world.look_at_nodes();
  const std::string before = world.text("SELECT step FROM plan WHERE kind = 'stray'");
  world.check_passes("web", "up");
  world.settle();

  cr_expect(before == "wait", "%s", before.c_str());
  cr_expect_eq(world.engine().containers().size(), 1);
}

Test(node_plan, what_this_state_never_had_is_shown_and_left_alone) {
  PlanWorld world;
  converge(world);
  const std::string home = world.text("SELECT id FROM home");
  world.sql("INSERT INTO let_go (instance, nonce) VALUES (1001, 'a')");

  put(world, "rowlock-" + home + "-copy", home, "web", "of a copy", 1001);
  put(world, "rowlock-" + home + "-old", home, "deleted-long-ago", "", 1002);
  world.look_at_nodes();
  world.pass_time(600000);

  cr_expect_eq(world.engine().containers().size(), 4);
  cr_expect(world.text("SELECT count(*) FROM stray") == "2");
  const std::string why =
      world.text("SELECT reason FROM why WHERE kind = 'stray' AND name = 'web'");
  cr_expect(why.find("never had it") != std::string::npos, "%s", why.c_str());
  cr_expect(why.find("docker rm -f rowlock-" + home + "-copy") != std::string::npos, "%s",
            why.c_str());
  const std::string status = world.text("SELECT detail FROM status WHERE kind = 'node'");
  cr_expect(status.find("and 2 that this state.db never had") != std::string::npos, "%s",
            status.c_str());
}

Test(node_plan, numbers_of_instances_go_on_from_the_highest_that_the_engine_knows) {
  PlanWorld world;
  world.settle();
  const std::string home = world.text("SELECT id FROM home");
  put(world, "rowlock-" + home + "-web-1000", home, "web", "of a later state", 1000);
  world.look_at_nodes();

  converge(world, 1);

  cr_expect(
      world.text("SELECT id, name FROM instance") == fmt::format("1001|rowlock-{}-web-1001", home),
      "%s", world.text("SELECT id, name FROM instance").c_str());
  cr_expect_eq(world.engine().containers().size(), 2);
}

Test(node_plan, a_container_is_no_instance_because_its_name_fits) {
  PlanWorld world;
  world.settle();
  const std::string home = world.text("SELECT id FROM home");
  const std::string taken = "rowlock-" + home + "-web-1";
  // Not in the list yet when the instance is placed.
  world.after_step = [&] {
    const bool is_placed = world.text("SELECT count(*) FROM instance WHERE id = 1") == "1";
    if (is_placed && world.engine().containers().empty()) {
      put(world, taken, home, "web", "of another", 1);
    }
  };

  converge(world, 1);

  cr_expect(world.text("SELECT name, container FROM instance") ==
                fmt::format("rowlock-{}-web-2|running", home),
            "%s", world.text("SELECT name, container FROM instance").c_str());
  cr_expect(world.text("SELECT target FROM event WHERE what = 'collided'") == taken);
  cr_expect(world.text("SELECT count(*) FROM event WHERE what = 'failed'") == "0");
  cr_expect_eq(world.engine().containers().size(), 2, "the other is left alone");
}

Test(node_plan, one_that_took_the_name_of_an_instance_is_not_that_instance) {
  PlanWorld world;
  converge(world, 1);
  const std::string home = world.text("SELECT id FROM home");
  const std::string name = world.text("SELECT name FROM instance");
  world.engine().erase(name);
  put(world, name, home, "web", "of another", 1);

  world.look_at_nodes();
  world.settle();
  world.pass_time(12000);

  cr_expect(world.text("SELECT count(*) FROM instance WHERE run = 1 AND name <> '" + name +
                       "' AND container = 'running'") == "1");
  cr_expect_eq(world.engine().containers().size(), 2, "nobody removed it");
}

Test(node_plan, a_home_is_claimed_before_anything_is_done) {
  PlanWorld world;
  std::vector<std::string> made;
  world.after_step = [&] {
    const auto claim = world.engine().claim_on(world.text("SELECT id FROM home")).value();
    cr_expect(claim.has_value() || world.engine().changes() == 0, "no change without a claim");
  };

  converge(world, 1);

  const auto claim = world.engine().claim_on(world.text("SELECT id FROM home")).value();
  cr_assert(claim.has_value());
  cr_expect_eq(claim->epoch, 1);
  cr_expect(claim->holder == world.text("SELECT holder FROM claimant"));
  cr_expect(world.text("SELECT standing FROM node_claim") == "ours");
}

Test(node_plan, a_home_that_another_drives_is_left_alone) {
  PlanWorld world;
  const std::string home = world.text("SELECT id FROM home");
  cr_assert(world.engine().claim({home, 7, "another", "elsewhere", "process 7, since then"}).ok());

  world.sql("INSERT INTO job (name, image) VALUES ('web', 'good:1')");
  world.settle();
  world.pass_time(60000);

  cr_expect(world.engine().containers().empty());
  cr_expect_eq(world.engine().claim_on(home).value()->epoch, 7);
  cr_expect(world.text("SELECT node, says FROM node_claim WHERE standing = 'theirs'") ==
            "local|process 7, since then");
  const std::string why = world.text("SELECT reason FROM why WHERE name = 'local'");
  cr_expect(why.find("another controller drives this home: process 7") != std::string::npos, "%s",
            why.c_str());
}

Test(node_plan, a_home_is_claimed_anew_from_the_same_folder_or_when_a_person_says_so) {
  for (const bool takes_over : {false, true}) {
    PlanWorld world;
    const std::string home = world.text("SELECT id FROM home");
    cr_assert(world.engine().claim({home, 7, "earlier", "here", "process 7"}).ok());
    world.sql(fmt::format("UPDATE claimant SET place = '{}', takes_over = {}",
                          takes_over ? "there" : "here", takes_over ? 1 : 0));

    converge(world, 1);

    cr_expect_eq(world.engine().claim_on(home).value()->epoch, 8);
    cr_expect(world.text("SELECT standing FROM node_claim") == "ours");
    cr_expect(world.text("SELECT detail FROM event WHERE what = 'taken over'") ==
              (takes_over ? "from process 7" : ""));
  }
}

Test(node_plan, one_that_was_superseded_does_nothing_more) {
  PlanWorld world;
  converge(world, 1);
  const std::string home = world.text("SELECT id FROM home");
  // From the same place even, as a copy of the whole disk is.
  cr_assert(world.engine().claim({home, 2, "another", "", "process 7"}).ok());
  world.look_at_nodes();

  world.sql("UPDATE claimant SET takes_over = 1; DELETE FROM job");
  world.settle();
  world.pass_time(60000);

  cr_expect_eq(world.engine().containers().size(), 1);
  cr_expect(world.text("SELECT standing FROM node_claim") == "theirs");
  cr_expect(world.text("SELECT count(*) FROM instance") == "1");
}

Test(node_plan, a_claim_that_was_taken_away_is_made_again) {
  PlanWorld world;
  converge(world, 1);
  const std::string home = world.text("SELECT id FROM home");
  world.engine().erase_claims(home);

  world.look_at_nodes();
  world.settle();
  world.pass_time(6000);

  cr_assert(world.engine().claim_on(home).value().has_value());
  cr_expect(world.text("SELECT standing FROM node_claim") == "ours");
  cr_expect(world.text("SELECT reach FROM node_state") == "reached");
}

Test(node_plan, of_two_that_begin_at_once_one_gets_the_home) {
  PlanWorld world;
  const std::string home = world.text("SELECT id FROM home");
  world.after_step = [&] {
    if (world.text("SELECT seen_epoch FROM node_state") == "0") {
      cr_assert(world.engine().claim({home, 1, "another", "elsewhere", "process 7"}).ok());
    }
  };

  world.sql("INSERT INTO job (name, image) VALUES ('web', 'good:1')");
  world.settle();
  world.pass_time(60000);

  cr_expect(world.engine().claim_on(home).value()->holder == "another");
  cr_expect(world.engine().containers().empty());
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
