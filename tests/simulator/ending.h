// How a simulation must end: once the faults have stopped, everything is as the engineer wants it,
// or failed for a reason.
#pragma once

#include "tests/simulator/engines.h"
#include "tests/simulator/stage.h"

#include <cstdint>
#include <map>
#include <string>

namespace rowlock::simulator {

enum class Standard {
  lenient,  // A good spec may have failed and been taken back in the chaos.
  strict,   // Every good spec runs, every bad one has failed.
};

// What is not yet as it must be in the end, or "" when all is. `proven`: the images to which a job
// goes back, where it must.
std::string unsettled(Stage& stage, Engines& engines, Standard standard,
                      const std::map<std::string, std::string>& proven);

}  // namespace rowlock::simulator
