// Rows of every kind in states and at moments drawn from a seed, sensible or not: what a walk over
// random worlds inserts into an empty PlanWorld, whose clock stands at 1,000,000 ms. The tables
// allow all of it; tests/schema/random_world_test.cpp shows that no kind is left out.
#pragma once

#include <string>

namespace rowlock {

// INSERT statements; the same for the same seed. Of the views they read only which steps there
// are.
std::string random_rows(unsigned int seed);

}  // namespace rowlock
