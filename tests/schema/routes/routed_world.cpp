// The shortest story to a route that serves, which most tests of routes begin with.
#include "tests/schema/routes/routed_world.h"

#include <fmt/format.h>

namespace rowlock {

void routed_job(PlanWorld& world, int count) {
  world.sql(
      fmt::format("INSERT INTO job (name, image, count, min_healthy_ms, healthy_deadline_ms, "
                  "progress_deadline_ms, drain_timeout_ms) VALUES "
                  "('web', 'good:1', {}, 1000, 60000, 120000, 5000);"
                  "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
                  "INSERT INTO job_check (job, name, type, port, passes) VALUES "
                  "('web', 'up', 'http', 'http', 2);"
                  "INSERT INTO route (name, host, job, port) VALUES "
                  "('site', 'example.org', 'web', 'http');",
                  count));
  world.settle();
}

void prove(PlanWorld& world) {
  for (int i = 0; i < 2; ++i) {
    world.check_passes("web", "up");
    world.settle();
  }
  world.pass_time(2000);
}

void serve(PlanWorld& world, int count) {
  routed_job(world, count);
  prove(world);
}

std::string ready_slots(PlanWorld& world) {
  std::string all;
  for (const SlotReport& slot : world.fake_proxy().slots()) {
    if (slot.ready) {
      all += fmt::format("{}{}/{}={}:{}", all.empty() ? "" : " ", slot.route, slot.number,
                         slot.address, slot.port);
    }
  }
  return all;
}

std::string address_of(PlanWorld& world, int instance) {
  return world.text(fmt::format("SELECT address FROM instance WHERE id = {}", instance));
}

std::string containers(PlanWorld& world) {
  return world.text("SELECT id || container FROM instance ORDER BY id");
}

}  // namespace rowlock
