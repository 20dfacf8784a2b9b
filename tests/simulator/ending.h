// How a simulation must end: once the faults have stopped, everything is as the engineer wants it, or failed for a reason.
#pragma once

#include <cstdint>
#include <string>

#include "tests/simulator/engines.h"
#include "tests/simulator/stage.h"

namespace rowlock::simulator {

enum class Standard {
  lenient,  // A good spec may have failed and been taken back in the chaos.
  strict,   // Every good spec runs, every bad one has failed.
};

// What is not yet as it must be in the end, or "" when all is.
std::string unsettled(Stage& stage, Engines& engines, Standard standard);

}  // namespace rowlock::simulator
