// What every Prober must do, the fake and the real one alike.
#pragma once

#include "controller/ports/prober.h"

#include <cstdint>
#include <functional>
#include <memory>

namespace rowlock {

// What somebody does who is asked.
enum class Asked {
  answers,  // With a status; for a tcp probe, takes the connection.
  hangs,    // Takes the question and never answers.
  cuts,     // Takes the question and hangs up.
  refuses,  // Nobody listens.
  unknown,  // The address is no host's.
};

struct ProberFixture {
  std::function<std::unique_ptr<Prober>()> make;
  // A probe of somebody who does that; kept until the fixture goes.
  std::function<Probe(Asked asked, Probe::Type type, int status, std::int64_t timeout_ms)> probe;
  // Turns the loop until that is so, which is asked after each callback, or for so long.
  std::function<void(const std::function<bool()>& is_over, std::int64_t at_most_ms)> turn;
  std::function<std::int64_t()> now_ms;  // A clock that the loop moves, or any.
};

// Runs every case, on the thread of the loop. Failures are reported through Criterion and name the
// case.
void check_prober(const ProberFixture& fixture);

}  // namespace rowlock
