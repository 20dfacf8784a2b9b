// What every HomeCopies must do, the fake and the real one alike.
#pragma once

#include "controller/ports/home_copies.h"

#include <functional>
#include <string>
#include <vector>

namespace rowlock {

struct HomeCopiesFixture {
  // Has that value stand in both databases, each by a transaction of its own. From any thread.
  std::function<void(int value)> put;
  // The value in a copy of one of them; -1: it is no sound database.
  std::function<int(const std::string& name, const std::string& bytes)> value_in;
  // What lies in the home and beside it that is not part of it.
  std::function<std::vector<std::string>()> left_behind;
};

// Runs every case. Failures are reported through Criterion and name the case.
void check_home_copies(HomeCopies& copies, const HomeCopiesFixture& fixture);

}  // namespace rowlock
