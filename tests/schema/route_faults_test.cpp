// Cut-overs in which something goes wrong: the proxy dies, or is started by somebody else; what is
// saved is refused; a route comes back.
#include "tests/schema/routed_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using namespace rowlock;

namespace {

rowlock::FaultPlan no_reload(const std::string& call, const std::string&) {
  return call == "reload" ? rowlock::FaultPlan::fail_before : rowlock::FaultPlan::none;
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
  world.sql("UPDATE proxy_state SET hinted = 1, retry_at_ms = 0");
  world.settle();
  world.pass_time(20000);

  cr_expect(!ready_slots(world).empty());
  cr_expect(world.text("SELECT state FROM status WHERE kind IN ('route', 'proxy')") ==
            "converged converged");
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
