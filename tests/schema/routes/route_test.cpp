// Cut-overs as rows in, rows out: an instance is given requests only once it has proved itself, and
// is stopped only once the proxy has let go of it.
#include "tests/schema/routes/routed_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using namespace rowlock;

Test(route_plan, a_home_without_routes_has_no_proxy) {
  PlanWorld world;
  world.settle();

  cr_expect(!world.fake_proxy().running());
  cr_expect_eq(world.fake_proxy().changes(), 0);
  cr_expect(world.text("SELECT kind FROM status WHERE kind = 'proxy'").empty());
}

Test(route_plan, an_instance_is_given_requests_only_after_all_its_checks_have_passed_in_a_row) {
  PlanWorld world;
  routed_job(world, 1);

  cr_expect(world.fake_proxy().running());
  cr_expect(ready_slots(world).empty(), "it starts down");
  cr_expect(world.text("SELECT wanted, acknowledged FROM route_target") == "down|down");

  world.check_passes("web", "up");
  world.settle();
  cr_expect(ready_slots(world).empty(), "one of two passes is not enough");
  world.check_fails("web", "up");
  world.check_passes("web", "up");
  world.settle();
  cr_expect(ready_slots(world).empty(), "they must be in a row");

  world.check_passes("web", "up");
  world.settle();
  cr_expect(ready_slots(world) == "site/1=" + address_of(world, 1) + ":80", "%s",
            ready_slots(world).c_str());
  cr_expect(world.text("SELECT wanted, acknowledged FROM route_target") == "ready|ready");
  cr_expect(world.text("SELECT json_extract(evidence, '$[0].check'), "
                       "json_extract(evidence, '$[0].passes') FROM route_target") == "up|2");
}

Test(route_plan, a_port_that_no_check_asks_about_must_take_a_connection) {
  PlanWorld world;
  world.sql(
      "INSERT INTO job (name, image, min_healthy_ms) VALUES ('web', 'good:1', 0);"
      "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
      "INSERT INTO route (name, host, job, port) VALUES ('site', 'example.org', 'web', '80');");
  world.settle();

  cr_expect(world.text("SELECT healthy_at_ms IS NOT NULL FROM instance") == "1");
  cr_expect(ready_slots(world).empty());
  cr_expect(world.text("SELECT name, type, port FROM check_target WHERE job = 'web'") ==
            "route:http|tcp|80");

  world.check_fails("web", "route:http");
  world.check_fails("web", "route:http");
  world.check_fails("web", "route:http");
  world.settle();
  cr_expect(containers(world) == "1running", "it decides about the route alone");

  world.check_passes("web", "route:http");
  world.settle();
  cr_expect(!ready_slots(world).empty());
}

Test(route_plan, an_update_stops_the_old_one_after_the_drain_and_its_last_request) {
  PlanWorld world;
  serve(world, 1);
  world.fake_proxy().begin_session("site", 1);

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  cr_expect(ready_slots(world) == "site/1=" + address_of(world, 1) + ":80", "the old one serves");
  for (int i = 0; i < 2; ++i) {
    world.check_passes("web", "up");
    world.settle();
  }
  cr_expect(ready_slots(world).find("site/2=" + address_of(world, 2)) != std::string::npos);

  world.pass_time(1000);
  cr_expect(ready_slots(world) == "site/2=" + address_of(world, 2) + ":80", "%s",
            ready_slots(world).c_str());
  cr_expect(containers(world) == "1running 2running", "a request is under way");
  cr_expect(world.text("SELECT reason FROM instance_why WHERE target LIKE '%-1'").empty());

  world.fake_proxy().end_session("site", 1);
  world.pass_time(1000);
  cr_expect(containers(world) == "2running", "%s", containers(world).c_str());
  cr_expect(world.text("SELECT acknowledged, sessions, proven_at_ms <= ready_at_ms, "
                       "withdrawn_at_ms <= drained_at_ms, drained_at_ms < let_go_at_ms, "
                       "let_go_at_ms <= ended_at_ms FROM route_target WHERE instance = 1") ==
                "down|0|1|1|1|1",
            "%s", world.text("SELECT * FROM route_target").c_str());
}

Test(route_plan, a_request_that_never_ends_holds_it_for_the_drain_timeout) {
  PlanWorld world;
  serve(world, 1);
  world.fake_proxy().begin_session("site", 1);

  world.sql("UPDATE job SET count = 0");
  world.settle();
  world.pass_time(4000);
  cr_expect(containers(world) == "1running");

  world.pass_time(2000);
  cr_expect(containers(world).empty(), "%s", containers(world).c_str());
  cr_expect(world.text("SELECT detail FROM event WHERE what = 'let go'")
                .find("drain_timeout_ms is over, with 1 requests") != std::string::npos);
}

Test(route_plan, nothing_is_stopped_while_the_proxy_cannot_be_asked) {
  PlanWorld world;
  serve(world, 2);
  world.fake_proxy().set_faults(
      [](const std::string&, const std::string&) { return rowlock::FaultPlan::unreachable; });
  world.sql("UPDATE proxy_state SET hinted = 1");
  world.settle();
  cr_expect(world.text("SELECT reach FROM proxy_state") == "lost");

  world.sql("UPDATE job SET count = 1");
  world.settle();
  world.pass_time(60000);
  cr_expect(world.number("SELECT count(*) FROM instance WHERE container = 'running'") == 2);

  world.fake_proxy().set_faults({});
  world.pass_time(20000);
  cr_expect(world.number("SELECT count(*) FROM instance WHERE container = 'running'") == 1);
}

Test(route_plan, a_new_one_that_the_proxy_does_not_take_replaces_nobody) {
  PlanWorld world;
  serve(world, 1);
  world.fake_proxy().set_faults([](const std::string& call, const std::string&) {
    return call == "set_slot" ? rowlock::FaultPlan::fail_before : rowlock::FaultPlan::none;
  });

  world.sql("UPDATE job SET image = 'good:2'");
  world.settle();
  prove(world);
  world.pass_time(10000);

  cr_expect(containers(world) == "1running 2running");
  cr_expect(world.text("SELECT run FROM instance WHERE id = 1") == "1");
}

Test(route_plan, one_that_fails_its_checks_is_taken_out_before_it_is_stopped) {
  PlanWorld world;
  serve(world, 2);
  world.fake_proxy().begin_session("site", 2);

  for (int i = 0; i < 3; ++i) {
    const auto failed =
        world.rows().run(*world.schema().script("check.failed"), {{"instance", std::int64_t{2}},
                                                                  {"name", "up"},
                                                                  {"detail", "HTTP 500"},
                                                                  {"now_ms", world.now_ms()}});
    cr_assert(failed.ok());
  }
  world.settle();
  cr_expect(ready_slots(world).find("site/2") == std::string::npos);
  cr_expect(world.text("SELECT container FROM instance WHERE id = 2") == "running");

  world.fake_proxy().end_session("site", 2);
  world.pass_time(1000);
  cr_expect(world.text("SELECT container FROM instance WHERE id = 2") == "exited");
}

Test(route_plan, one_whose_process_ended_leaves_at_once) {
  PlanWorld world;
  serve(world, 2);
  const std::string dead = world.text("SELECT name FROM instance WHERE id = 1");

  world.engine().kill(dead, 137);
  world.sql("UPDATE instance SET hinted = 1 WHERE id = 1");
  world.settle();

  cr_expect(ready_slots(world).find(":80 ") == std::string::npos, "%s", ready_slots(world).c_str());
  world.pass_time(1000);
  cr_expect(world.text("SELECT ended_at_ms IS NOT NULL, slot IS NULL FROM route_target "
                       "WHERE instance = 1") == "1|1");
}

Test(route_plan, what_is_stopped_does_not_stand_in_the_file_any_more) {
  PlanWorld world;
  serve(world, 1);
  world.fake_proxy().set_faults([](const std::string& call, const std::string&) {
    return call == "save" ? rowlock::FaultPlan::fail_before : rowlock::FaultPlan::none;
  });

  world.sql("UPDATE job SET count = 0");
  world.settle();
  world.pass_time(20000);
  cr_expect(ready_slots(world).empty());
  cr_expect(containers(world) == "1running", "a start from the file would give it requests");

  world.fake_proxy().set_faults({});
  world.pass_time(40000);
  cr_expect(containers(world).empty());
}

Test(route_plan, a_worker_from_before_a_reload_holds_what_it_may_still_use) {
  PlanWorld world;
  serve(world, 1);
  world.fake_proxy().linger_after_reload(true);
  world.sql("UPDATE route SET strip_prefix = 1");
  world.settle();

  world.sql("UPDATE job SET count = 0");
  world.settle();
  world.pass_time(3000);
  cr_expect(containers(world) == "1running");

  world.fake_proxy().end_old_workers();
  world.pass_time(1000);
  cr_expect(containers(world).empty());
}

Test(route_plan, a_deleted_route_lets_go_of_its_instances) {
  PlanWorld world;
  serve(world, 1);
  world.sql("DELETE FROM route");
  world.settle();
  world.pass_time(6000);

  cr_expect(ready_slots(world).empty());
  cr_expect(!world.fake_proxy().running(), "no route is left");
  cr_expect(containers(world) == "1running");
  cr_expect(world.steps().empty(), "%s", world.steps().c_str());
}

Test(route_plan, another_mode_needs_no_reload) {
  PlanWorld world;
  serve(world, 1);
  const std::int64_t generation = world.fake_proxy().generation();

  world.sql("UPDATE route SET pause = 1, pause_max_ms = 7000");
  world.settle();
  cr_expect(world.text("SELECT mode FROM route_state") == "pause:7000");
  cr_expect_eq(world.fake_proxy().generation(), generation);
  world.pass_time(1000);
  cr_expect(world.fake_proxy().saved().routes.front().mode == "pause:7000");

  world.sql("UPDATE route SET pause = 0");
  world.settle();
  cr_expect(world.text("SELECT mode FROM route_state").empty());
}

Test(route_plan, another_structure_is_written_and_reloaded) {
  PlanWorld world;
  serve(world, 1);
  const std::int64_t generation = world.fake_proxy().generation();

  world.sql("INSERT INTO route_header (route, name, value) VALUES ('site', 'X-A', '1')");
  world.settle();

  cr_expect_gt(world.fake_proxy().generation(), generation);
  cr_expect(!ready_slots(world).empty(), "who was ready is ready after it");
  cr_expect(world.text("SELECT state FROM status WHERE kind = 'route'") == "converged");
}

Test(route_plan, a_refused_configuration_changes_nothing_and_says_so) {
  PlanWorld world;
  serve(world, 1);
  const std::int64_t generation = world.fake_proxy().generation();
  world.fake_proxy().refuse_saves([](const rowlock::ProxyConfig& config) {
    return config.routes.front().headers.empty() ? "" : "header is no good";
  });

  world.sql("INSERT INTO route_header (route, name, value) VALUES ('site', 'X-A', '1')");
  world.settle();
  cr_expect_eq(world.fake_proxy().generation(), generation);
  cr_expect(
      world.text("SELECT detail FROM status WHERE kind = 'proxy'").find("header is no good") !=
      std::string::npos);
  cr_expect(world.text("SELECT state FROM status WHERE kind = 'route'") == "failed");

  world.sql("DELETE FROM route_header");
  world.settle();
  cr_expect(world.text("SELECT state FROM status WHERE kind IN ('route', 'proxy')") ==
            "converged converged");
}

Test(route_plan, more_instances_than_slots_get_more_slots) {
  PlanWorld world;
  serve(world, 2);
  cr_expect(world.text("SELECT slots FROM route_state") == "4");

  world.sql("UPDATE job SET count = 5, max_parallel = 5");
  world.settle();
  prove(world);

  cr_expect(world.text("SELECT slots FROM route_state") == "16");
  cr_expect(world.number("SELECT count(*) FROM route_target WHERE acknowledged = 'ready'") == 5);
}

Test(route_plan, two_jobs_share_a_route_by_weight) {
  PlanWorld world;
  serve(world, 3);
  world.sql(
      "INSERT INTO job (name, image, count, min_healthy_ms) VALUES ('new', 'good:2', 1, 0);"
      "INSERT INTO job_port (job, label, port) VALUES ('new', 'http', 81);"
      "UPDATE route SET next_job = 'new', next_percent = 25");
  world.settle();
  world.check_passes("new", "route:http");
  world.settle();

  const std::string weights =
      "SELECT job, acknowledged_weight FROM route_target WHERE ended_at_ms IS NULL ORDER BY target";
  cr_expect(world.text(weights) == "web|256 web|256 web|256 new|256", "%s",
            world.text(weights).c_str());

  world.sql("UPDATE route SET next_percent = 0");
  world.settle();
  cr_expect(world.text(weights) == "web|256 web|256 web|256 new|0", "%s",
            world.text(weights).c_str());

  world.sql("UPDATE route SET next_percent = 90");
  world.settle();
  cr_expect(world.text(weights) == "web|9 web|9 web|9 new|256", "%s", world.text(weights).c_str());
}

Test(route_plan, a_proxy_that_died_is_started_again_and_gives_the_same_ones_requests) {
  PlanWorld world;
  serve(world, 2);
  const std::string before = ready_slots(world);

  world.fake_proxy().kill();
  cr_expect(ready_slots(world).empty());
  world.sql("UPDATE proxy_state SET hinted = 1");
  world.settle();

  cr_expect(ready_slots(world) == before, "%s", ready_slots(world).c_str());
  cr_expect(world.text("SELECT reach FROM proxy_state") == "reached");
}

Test(route_plan, a_certificate_that_changed_is_taken_without_a_reload) {
  PlanWorld world;
  world.fake_proxy().put_certificate("/tls/a.pem", 1);
  world.sql(
      "INSERT INTO certificate (name, path) VALUES ('a', '/tls/a.pem');"
      "INSERT INTO proxy (listen_tls) VALUES ('127.0.0.1:8443')");
  serve(world, 1);
  const std::int64_t generation = world.fake_proxy().generation();

  world.fake_proxy().put_certificate("/tls/a.pem", 2);
  world.pass_time(7000);

  cr_expect(world.text("SELECT stale FROM certificate_state") == "0");
  cr_expect_eq(world.fake_proxy().generation(), generation);
  cr_expect(world.text("SELECT target FROM event WHERE what = 'loaded'") == "/tls/a.pem");
}
