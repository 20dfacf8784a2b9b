// What must hold at every moment of every cut-over: nobody is given requests who is not well, and
// nobody is stopped who is given any.
#pragma once

#include "tests/simulator/invariants.h"

#include <memory>
#include <vector>

namespace rowlock::simulator {

void add_route_invariants(std::vector<std::unique_ptr<Invariant>>& all);

}  // namespace rowlock::simulator
