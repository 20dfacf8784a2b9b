// Routes and the instances that stand in them: the hands that switch a route's mode, and make a
// slot of the proxy ready or down. When, is decided in schema/routes/route.sql and
// schema/routes/route_target.sql.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

// What switches the mode of a route.
std::vector<Hand> route_hands();

// What makes a slot ready or down, and what asks after it.
std::vector<Hand> route_target_hands();

}  // namespace rowlock
