// A job with a route to it, for tests of plans: how it comes to serve, and what the proxy makes of
// it.
#pragma once

#include "tests/schema/plan_world.h"

#include <string>

namespace rowlock {

// A job of that many instances with one check, and a route to it.
void routed_job(PlanWorld& world, int count);
// Lets the checks of all live instances pass as often as they must, and all that follows from it.
void prove(PlanWorld& world);
void serve(PlanWorld& world, int count);
// The slots of the proxy that are given requests, as "route/slot=address:port".
std::string ready_slots(PlanWorld& world);
std::string address_of(PlanWorld& world, int instance);
std::string containers(PlanWorld& world);

}  // namespace rowlock
