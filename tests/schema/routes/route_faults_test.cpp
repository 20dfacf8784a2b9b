// Cut-overs in which something goes wrong: the proxy dies, or is started by somebody else; what is
// saved is refused; a route comes back.
#include "tests/schema/routes/routed_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using namespace rowlock;

namespace {

constexpr const char* kReloadBegins =
    "INSERT INTO attempt (kind, name, target, step, reason, started_at_ms) "
    "VALUES ('proxy', 'proxy', 'proxy', 'reload', '', 0);";

// From now on a test ends when an instance does not run any more that the proxy gives requests.
void watch_stops(PlanWorld& world) {
  world.after_step = [&world] {
    for (const SlotReport& slot : world.fake_proxy().slots()) {
      if (!slot.ready) continue;
      bool runs = false;
      for (const auto& container : world.engine().containers()) {
        runs = runs || container.address == slot.address;
      }
      cr_assert(runs, "%s was stopped, and is given requests", slot.address.c_str());
    }
  };
}

rowlock::FaultPlan no_reload(const std::string& call, const std::string&) {
  return call == "reload" ? rowlock::FaultPlan::fail_before : rowlock::FaultPlan::none;
}

rowlock::FaultPlan no_save(const std::string& call, const std::string&) {
  return call == "save" ? rowlock::FaultPlan::fail_before : rowlock::FaultPlan::none;
}

}  // namespace

Test(route_faults, a_proxy_that_died_before_a_reload_is_not_reloaded_for_ever) {
  PlanWorld world;
  serve(world, 1);
  world.fake_proxy().set_faults(no_reload);
  world.sql("UPDATE route SET strip_prefix = 1");
  world.settle();

  world.fake_proxy().kill();
  world.fake_proxy().set_faults({});
  world.sql("UPDATE proxy_state SET hinted = 1; DELETE FROM retry");
  world.settle();
  world.pass_time(20000);

  cr_expect(!ready_slots(world).empty());
  cr_expect(world.text("SELECT state FROM status WHERE kind IN ('route', 'proxy')") ==
            "converged converged");
}

Test(route_faults, one_that_is_retired_in_the_pass_that_would_admit_it_breaks_nothing) {
  PlanWorld world;
  serve(world, 1);

  world.sql("UPDATE route_target SET acknowledged = 'down'; UPDATE job SET count = 0");
  world.settle();
  world.pass_time(2000);

  cr_expect(containers(world).empty(), "%s", containers(world).c_str());
  cr_expect(ready_slots(world).empty());
}

// Whoever sends what cannot be read does not fill the log with it.
Test(route_faults, requests_that_could_not_be_read_are_told_once_a_minute) {
  PlanWorld world;
  serve(world, 1);
  const char* const kTold = "SELECT detail FROM event WHERE what = 'requests refused' ORDER BY id";
  world.pass_time(70'000);
  cr_expect(world.text(kTold).empty());

  world.fake_proxy().refuse_heads(5);
  world.pass_time(20'000);
  world.fake_proxy().refuse_heads(2);
  world.pass_time(20'000);
  cr_expect(world.text(kTold) ==
                "5 could not be read: late, malformed, or with a head of more than 16 KB or 101 "
                "headers (proxy.head_kb, proxy.headers_max)",
            "%s", world.text(kTold).c_str());
  world.fake_proxy().refuse_heads(1);
  world.pass_time(60'000);

  cr_expect(world.text("SELECT group_concat(substr(detail, 1, 2), '') FROM event "
                       "WHERE what = 'requests refused'") == "5 3 ");
  world.sql("UPDATE route SET strip_prefix = 1");  // It counts anew with the next reload.
  world.pass_time(70'000);
  world.fake_proxy().refuse_heads(4);
  world.pass_time(70'000);
  cr_expect(world.text("SELECT group_concat(substr(detail, 1, 2), '') FROM event "
                       "WHERE what = 'requests refused'") == "5 3 4 ");
}

Test(route_faults, a_refused_configuration_is_asked_again_as_it_is) {
  PlanWorld world;
  serve(world, 1);
  bool is_refused = true;
  world.fake_proxy().refuse_saves(
      [&](const rowlock::ProxyConfig&) { return is_refused ? "the disk is full" : ""; });
  world.sql("UPDATE route SET strip_prefix = 1");
  world.settle();
  world.pass_time(40000);

  is_refused = false;
  world.pass_time(40000);
  cr_expect(world.fake_proxy().saved().routes.front().strip_prefix);
}

Test(route_faults,
     one_that_an_earlier_configuration_gives_requests_is_drained_before_it_is_stopped) {
  PlanWorld world;
  serve(world, 1);
  watch_stops(world);
  world.fake_proxy().set_faults(no_reload);
  world.sql("UPDATE route SET strip_prefix = 1");
  world.settle();
  const auto observed = world.fake_proxy().observe();
  cr_assert(observed.ok() && observed.value().generation < world.fake_proxy().saved().generation);
  world.sql("UPDATE proxy_state SET hinted = 1");
  world.settle();

  world.sql("UPDATE job SET count = 0");
  world.settle();
  world.pass_time(10000);
  cr_expect(containers(world).empty(), "%s", containers(world).c_str());
}

Test(route_faults, one_that_came_back_with_the_file_is_drained_again_before_it_is_stopped) {
  PlanWorld world;
  serve(world, 1);
  watch_stops(world);
  world.fake_proxy().set_faults(no_save);
  world.sql("UPDATE job SET count = 0");
  world.settle();
  cr_expect(ready_slots(world).empty());

  world.fake_proxy().kill();
  world.fake_proxy().start_by_hand();
  cr_expect(!ready_slots(world).empty(), "the file still names it");
  world.fake_proxy().set_faults({});
  world.sql("UPDATE proxy_state SET hinted = 0; DELETE FROM retry");
  world.settle();
  world.pass_time(2000);

  cr_expect(containers(world).empty(), "%s", containers(world).c_str());
}

Test(route_faults, no_slot_is_set_while_the_proxy_reloads) {
  PlanWorld world;
  serve(world, 2);
  world.sql(std::string(kReloadBegins) + "UPDATE job SET count = 1");
  world.settle();
  cr_expect(ready_slots(world).find("site/2") != std::string::npos, "%s",
            ready_slots(world).c_str());

  world.sql("UPDATE attempt SET finished_at_ms = 1, outcome = 'done' WHERE finished_at_ms IS NULL");
  world.settle();
  world.pass_time(1000);
  cr_expect(world.number("SELECT count(*) FROM route_target WHERE ended_at_ms IS NULL") == 1);
}

// One that waited for its turn until the plan said something else was never begun.
Test(route_faults, a_reload_that_was_taken_back_holds_no_slot) {
  PlanWorld world;
  serve(world, 2);
  world.sql(kReloadBegins);

  world.sql(
      "UPDATE attempt SET finished_at_ms = 1, outcome = 'lost' "
      "WHERE kind = 'proxy' AND finished_at_ms IS NULL; UPDATE job SET count = 1");
  world.settle();
  world.pass_time(1000);

  cr_expect(world.number("SELECT count(*) FROM route_target WHERE ended_at_ms IS NULL") == 1);
}

Test(route_faults, a_deleted_job_drains_no_longer_than_it_said) {
  PlanWorld world;
  serve(world, 1);
  world.fake_proxy().begin_session("site", 1);

  world.sql("DELETE FROM route; DELETE FROM job");
  world.settle();
  world.pass_time(4000);
  cr_expect(containers(world) == "1running");
  world.pass_time(3000);
  cr_expect(containers(world).empty(), "%s", containers(world).c_str());
}

Test(route_faults, a_route_that_comes_back_sends_to_the_same_instance_again) {
  PlanWorld world;
  serve(world, 1);
  const std::string before = ready_slots(world);
  world.sql("DELETE FROM route");
  world.settle();
  world.pass_time(6000);

  world.sql("INSERT INTO route (name, host, job, port) VALUES ('site', 'a.org', 'web', 'http')");
  world.settle();
  world.pass_time(6000);
  cr_expect(ready_slots(world) == before, "%s", ready_slots(world).c_str());
}

// What was saved while it was deleted has the number of the configuration that had it.
Test(route_faults, a_route_that_comes_back_after_the_proxy_has_started_without_it_is_taken_anew) {
  PlanWorld world;
  serve(world, 1);
  const std::string before = ready_slots(world);
  world.sql("INSERT INTO proxy (release_delay_ms) VALUES (30000)");
  world.sql("CREATE TEMP TABLE kept AS SELECT * FROM route; DELETE FROM route");
  world.settle();
  world.pass_time(1000);
  cr_assert(world.fake_proxy().saved().routes.empty());
  cr_assert(world.number("SELECT count(*) FROM route_target WHERE ended_at_ms IS NULL") == 1);
  world.fake_proxy().kill();
  world.pass_time(1000);

  world.sql("INSERT INTO route SELECT * FROM kept");
  world.settle();
  world.pass_time(60000);
  cr_expect(ready_slots(world) == before, "%s", ready_slots(world).c_str());
}

Test(route_faults, a_route_that_comes_back_while_the_file_is_written_is_not_in_it_yet) {
  PlanWorld world;
  serve(world, 1);
  const std::string before = ready_slots(world);
  world.fake_proxy().begin_session("site", 1);
  world.sql("CREATE TEMP TABLE kept AS SELECT * FROM route; DELETE FROM route");
  world.settle();
  world.pass_time(1000);
  cr_assert(world.text("SELECT structure FROM route_state").empty());

  world.sql(
      "INSERT INTO route SELECT * FROM kept;"
      "UPDATE proxy_state SET content = content + 1, changed_at_ms = 0, saving_content = content + "
      "1");
  cr_expect(world.text("SELECT json_array_length(config, '$.routes') FROM proxy_input") == "0");
  world.settle();
  world.pass_time(60000);
  cr_expect(ready_slots(world) == before, "%s", ready_slots(world).c_str());
}

Test(route_faults, a_proxy_that_does_not_answer_is_stopped_when_the_last_route_has_gone) {
  PlanWorld world;
  serve(world, 1);
  world.fake_proxy().set_faults(
      [](const std::string&, const std::string&) { return rowlock::FaultPlan::unreachable; });
  world.sql(
      "UPDATE proxy_state SET reach = 'lost'; DELETE FROM route; DELETE FROM route_target;"
      "DELETE FROM route_state");
  world.settle();
  world.pass_time(2000);
  cr_expect(world.fake_proxy().running());

  world.fake_proxy().set_faults({});
  world.pass_time(20000);
  cr_expect(!world.fake_proxy().running());
  cr_expect(world.steps().empty(), "%s", world.steps().c_str());
}

Test(route_faults, a_file_that_is_newer_than_was_thought_is_not_reloaded_for_ever) {
  PlanWorld world;
  serve(world, 1);
  bool is_refused = false;
  world.fake_proxy().refuse_saves(
      [&](const ProxyConfig&) { return is_refused ? "not today" : ""; });
  world.fake_proxy().set_faults([&](const std::string& call, const std::string&) {
    if (call != "save" || is_refused) return FaultPlan::none;
    return FaultPlan::lose_answer;
  });
  world.sql("UPDATE route SET strip_prefix = 1");
  world.settle();

  is_refused = true;
  world.fake_proxy().kill();
  world.fake_proxy().start_by_hand();
  world.pass_time(10000);
  const std::int64_t changes = world.fake_proxy().changes();
  world.pass_time(10000);
  cr_expect_leq(world.fake_proxy().changes(), changes + 1);

  is_refused = false;
  world.fake_proxy().set_faults({});
  world.pass_time(60000);
  cr_expect(world.text("SELECT state FROM status WHERE kind IN ('route', 'proxy')") ==
            "converged converged");
}

Test(route_faults, a_route_that_goes_to_another_job_keeps_the_old_one_until_that_is_ready) {
  PlanWorld world;
  serve(world, 1);
  const std::string before = ready_slots(world);
  world.sql(
      "INSERT INTO job (name, image, min_healthy_ms) VALUES ('new', 'good:2', 0);"
      "INSERT INTO job_port (job, label, port) VALUES ('new', 'http', 81);"
      "UPDATE route SET job = 'new'");
  world.settle();
  world.pass_time(5000);
  cr_expect(ready_slots(world) == before, "%s", ready_slots(world).c_str());

  world.check_passes("new", "route:http");
  world.settle();
  world.pass_time(2000);
  cr_expect(ready_slots(world).find(":81") != std::string::npos, "%s", ready_slots(world).c_str());
  cr_expect(ready_slots(world).find(":80") == std::string::npos, "%s", ready_slots(world).c_str());
}

Test(route_faults, a_share_of_a_job_that_is_not_ready_goes_to_the_other) {
  PlanWorld world;
  serve(world, 1);
  world.sql(
      "INSERT INTO job (name, image, count) VALUES ('new', 'good:2', 0);"
      "INSERT INTO job_port (job, label, port) VALUES ('new', 'http', 81);"
      "UPDATE route SET next_job = 'new', next_percent = 100");
  world.settle();

  cr_expect(world.text("SELECT acknowledged_weight > 0 FROM route_target") == "1");
}

Test(route_faults, an_old_one_makes_way_only_for_one_that_stands_in_the_file) {
  PlanWorld world;
  serve(world, 1);
  world.fake_proxy().set_faults(no_save);
  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  prove(world);
  world.pass_time(10000);
  cr_expect(world.text("SELECT run FROM instance WHERE id = 1") == "1",
            "a start from the file would not know its successor");

  world.fake_proxy().set_faults({});
  world.pass_time(20000);
  cr_expect(world.text("SELECT count(*) FROM instance WHERE run = 1") == "1");
}

Test(route_faults, a_deployment_does_not_fail_because_the_proxy_is_away) {
  PlanWorld world;
  serve(world, 1);
  world.fake_proxy().set_faults(
      [](const std::string&, const std::string&) { return rowlock::FaultPlan::unreachable; });
  world.sql("UPDATE proxy_state SET hinted = 1; UPDATE job SET image = 'good:2'");
  world.settle();
  prove(world);
  world.pass_time(200000);

  cr_expect(world.text("SELECT state FROM deployment WHERE current = 1") == "running");
  cr_expect(world.text("SELECT count(*) FROM instance WHERE container = 'running'") == "2");
}

Test(route_faults, an_attached_proxy_is_let_alone_when_the_last_route_goes) {
  PlanWorld world;
  world.sql("INSERT INTO proxy (socket) VALUES ('/theirs.sock')");
  world.fake_proxy().set_managed_by_others(true);
  routed_job(world, 1);
  world.fake_proxy().start_by_hand();
  world.pass_time(2000);
  prove(world);
  cr_expect(!ready_slots(world).empty());
  world.sql("DELETE FROM route");
  world.settle();
  world.pass_time(10000);

  cr_expect(world.fake_proxy().running());
  cr_expect(world.fake_proxy().saved().routes.empty());
  cr_expect(world.text("SELECT state FROM status WHERE kind = 'proxy'") == "converged", "%s",
            world.text("SELECT state, detail FROM status WHERE kind = 'proxy'").c_str());
}
