// The wall clock's time, held between two bounds that move with the boot clock.
#include "controller/base/steady_time.h"

#include <algorithm>

namespace rowlock {

namespace {

constexpr std::int64_t kFollows = 100;  // One part in so many.
constexpr std::int64_t kRoundingMs = 1;
// Counted anew after so long: a hundredth of a few milliseconds would be nothing at all.
constexpr std::int64_t kStretchMs = 1000;

}  // namespace

SteadyTime::SteadyTime(std::int64_t now_ms, std::int64_t boot_ms)
    : from_ms_(now_ms), from_boot_ms_(boot_ms), last_ms_(now_ms) {}

std::int64_t SteadyTime::at(std::int64_t wall_ms, std::int64_t boot_ms) {
  const std::int64_t passed_ms = std::max<std::int64_t>(0, boot_ms - from_boot_ms_);
  const std::int64_t slack_ms = passed_ms / kFollows + kRoundingMs;
  const std::int64_t steady_ms = from_ms_ + passed_ms;
  last_ms_ = std::max(last_ms_, std::clamp(wall_ms, steady_ms - slack_ms, steady_ms + slack_ms));
  if (passed_ms >= kStretchMs) {
    from_ms_ = last_ms_;
    from_boot_ms_ = boot_ms;
  }
  return last_ms_;
}

}  // namespace rowlock
