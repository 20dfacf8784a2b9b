// How every route must end: the proxy gives requests to exactly the instances that are well, and
// would do the same if somebody started it anew.
#pragma once

#include "tests/simulator/engines.h"
#include "tests/simulator/stage.h"

#include <string>

namespace rowlock::simulator {

// What is not yet as it must be in the end, or "" when all is.
std::string unsettled_routes(Stage& stage, Engines& engines);

}  // namespace rowlock::simulator
