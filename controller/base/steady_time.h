// "Now" as rows know it: milliseconds since the epoch, on a clock that only goes forward. It is the
// wall clock's time as long as nobody sets that. When it is set, this goes on as the clock that
// counts since the machine was started does (CLOCK_BOOTTIME: suspend included), and comes back to
// the wall clock slowly, by a hundredth of the time that passes: no delay is ever wrong by more,
// and an hour is made up for in four days.
#pragma once

#include <cstdint>

namespace rowlock {

class SteadyTime {
 public:
  SteadyTime(std::int64_t now_ms, std::int64_t boot_ms);

  // Now, as the two clocks say. Never less than the last time. Requires: boot_ms is not either.
  std::int64_t at(std::int64_t wall_ms, std::int64_t boot_ms);

 private:
  std::int64_t from_ms_;       // It was this
  std::int64_t from_boot_ms_;  // at this moment, from which the hundredth is counted,
  std::int64_t last_ms_;       // and was asked last at this.
};

}  // namespace rowlock
