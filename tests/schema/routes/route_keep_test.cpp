// What a route keeps: those that it led to before, until what it leads to now is ready, and those
// whose checks fail when no other one does well.
#include "tests/schema/routes/routed_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>

using rowlock::address_of;
using rowlock::PlanWorld;
using rowlock::prove;
using rowlock::ready_slots;
using rowlock::serve;

namespace {

constexpr const char* kNext =
    "INSERT INTO job (name, image, count, min_healthy_ms, progress_deadline_ms) VALUES "
    "('next', 'good:2', {}, 1000, 60000);"
    "INSERT INTO job_port (job, label, port) VALUES ('next', 'http', 80);"
    "INSERT INTO job_check (job, name, type, port) VALUES ('next', 'up', 'http', 'http');"
    "UPDATE route SET job = 'next';";

std::string successor(int count) { return fmt::format(fmt::runtime(kNext), count); }

std::string route_row(PlanWorld& world) {
  return world.text("SELECT state, detail FROM status WHERE kind = 'route'");
}

void expect_in(const std::string& part, const std::string& whole) {
  cr_expect(whole.find(part) != std::string::npos, "no '%s' in: %s", part.c_str(), whole.c_str());
}

// How many instances the proxy gives requests, at the least, after each step from now on.
struct Least {
  explicit Least(PlanWorld& world) {
    world.after_step = [&world, this] {
      ready = std::min(ready, static_cast<int>(!ready_slots(world).empty()));
    };
  }
  int ready = 1;
};

}  // namespace

Test(route_keep, a_job_that_is_deleted_serves_until_its_successor_is_ready) {
  PlanWorld world;
  serve(world, 1);
  const std::string old = address_of(world, 1);
  Least least(world);

  world.sql(successor(1) + "DELETE FROM job WHERE name = 'web';");
  world.settle();
  world.pass_time(12000);
  const std::string meanwhile = ready_slots(world);
  const std::string status = route_row(world);
  const std::string why = world.text("SELECT reason FROM why WHERE name = 'site'");
  world.check_passes("next", "up");
  world.pass_time(20000);

  expect_in(old, meanwhile);
  expect_in("waiting|example.org/ → next, 0 ready, until then 1 of what it led to before", status);
  expect_in("then they get 503", why);
  cr_expect_eq(least.ready, 1);
  cr_expect(ready_slots(world).find(address_of(world, 2)) != std::string::npos);
  cr_expect(world.text("SELECT job FROM instance WHERE run = 1") == "next");
  expect_in("converged|example.org/ → next, 1 ready", route_row(world));
}

Test(route_keep, a_renamed_job_serves_all_the_time) {
  PlanWorld world;
  serve(world, 2);
  Least least(world);

  world.sql(
      "UPDATE job SET name = 'shop'; UPDATE job_port SET job = 'shop'; UPDATE job_check SET job = "
      "'shop'; UPDATE route SET job = 'shop';");
  world.settle();
  for (int i = 0; i < 2; ++i) {
    world.check_passes("shop", "up");
    world.settle();
  }
  world.pass_time(30000);

  cr_expect_eq(least.ready, 1);
  cr_expect(world.text("SELECT DISTINCT job FROM instance WHERE run = 1") == "shop");
}

Test(route_keep, a_route_that_leads_nowhere_says_so_and_ends_by_a_bound) {
  PlanWorld world;
  serve(world, 1);

  world.sql(successor(0));
  world.settle();
  world.pass_time(30000);
  const std::string meanwhile = ready_slots(world);
  const std::string why = world.text("SELECT reason FROM why WHERE name = 'site'");
  expect_in("converging|example.org/ → next, 0 ready, since no instance is wanted, until then 1 of",
            route_row(world));
  world.pass_time(40000);

  cr_expect(!meanwhile.empty());
  expect_in("for another 30 s; then they get 503: job next has count 0", why);
  cr_expect(ready_slots(world).empty(), "%s", ready_slots(world).c_str());
  expect_in("converged|example.org/ → next, 0 ready, since no instance is wanted",
            route_row(world));
  expect_in("then they get 503: job next has count 0",
            world.text("SELECT reason FROM why WHERE name = 'site'"));
}

Test(route_keep, one_that_is_lent_is_not_replaced_by_a_roll_out_of_its_own_job) {
  PlanWorld world;
  serve(world, 1);
  Least least(world);

  world.sql(successor(1) + "UPDATE job SET image = 'good:3' WHERE name = 'web';");
  world.settle();
  prove(world);
  world.pass_time(10000);
  cr_expect_eq(least.ready, 1);
  world.check_passes("next", "up");
  world.pass_time(20000);

  cr_expect_eq(least.ready, 1);
  cr_expect(world.text("SELECT count(*) FROM instance WHERE run = 1") == "2");
}

Test(route_keep, a_route_that_comes_back_has_all_its_time_for_the_next_move) {
  PlanWorld world;
  serve(world, 1);
  world.sql(successor(0));
  world.pass_time(50000);
  world.sql("UPDATE route SET job = 'web'");
  world.pass_time(20000);
  cr_expect(!ready_slots(world).empty());
  expect_in("converged", route_row(world));

  world.sql("UPDATE route SET job = 'next'");
  world.pass_time(50000);
  cr_expect(!ready_slots(world).empty());
  world.pass_time(20000);
  cr_expect(ready_slots(world).empty());
}

Test(route_keep, what_fails_everywhere_at_once_is_kept_and_one_is_replaced_at_a_time) {
  PlanWorld world;
  serve(world, 2);
  Least least(world);
  int least_running = 2;
  const auto look = world.after_step;
  world.after_step = [&] {
    look();
    least_running = std::min(
        least_running,
        static_cast<int>(world.number("SELECT count(*) FROM instance WHERE run = 1 AND container = "
                                      "'running' AND healthy_at_ms IS NOT NULL")));
  };

  for (int i = 0; i < 3; ++i) world.check_fails("web", "up");
  world.settle();
  world.pass_time(60000);

  cr_expect_eq(least.ready, 1);
  cr_expect_eq(least_running, 1);
  expect_in("kept until enough others do well",
            world.text("SELECT reason FROM why WHERE kind = 'instance'"));
  expect_in("1 kept whose checks fail",
            world.text("SELECT detail FROM status WHERE kind = 'job' AND name = 'web'"));
  cr_expect_eq(world.number("SELECT count(*) FROM event WHERE kind = 'instance' AND what = 'kept'"),
               1);
  cr_expect_eq(world.number("SELECT value FROM metric WHERE name = 'rowlock_job_spared_instances'"),
               1);

  prove(world);
  world.pass_time(30000);
  cr_expect(world.text("SELECT state FROM status WHERE name = 'web'") == "converged");
}

Test(route_keep, the_only_one_whose_check_fails_stays_until_another_is_ready) {
  PlanWorld world;
  serve(world, 1);
  Least least(world);

  for (int i = 0; i < 3; ++i) world.check_fails("web", "up");
  world.settle();
  world.pass_time(30000);
  const std::string meanwhile = world.text("SELECT id, run FROM instance ORDER BY id");
  prove(world);
  world.check_passes("web", "up");
  world.pass_time(30000);

  cr_expect(meanwhile == "1|1 2|1", "%s", meanwhile.c_str());
  cr_expect_eq(least.ready, 1);
  cr_expect_eq(world.number("SELECT count(*) FROM instance WHERE run = 1"), 1);
}

Test(route_keep, withdraw_and_restart_are_two_decisions) {
  for (const char* const what : {"withdraw", "restart"}) {
    PlanWorld world;
    serve(world, 2);
    world.sql(fmt::format("UPDATE job_check SET on_failure = '{}'", what));
    world.settle();
    world.sql(
        "UPDATE check_state SET failures = 3, passes = 0 WHERE name = 'up' AND "
        "instance = (SELECT min(id) FROM instance)");
    world.settle();

    const bool is_withdrawn =
        world.number("SELECT count(*) FROM event WHERE what = 'withdrawn'") > 0;
    const bool is_restarted = world.number("SELECT count(*) FROM event WHERE what = 'failed'") > 0;
    cr_expect_eq(is_restarted, std::string(what) == "restart", "%s", what);
    cr_expect(is_withdrawn, "%s", what);
  }
}
