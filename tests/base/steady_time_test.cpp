// Time that only goes forward, by two clocks that the test turns.
#include "controller/base/steady_time.h"

#include <criterion/criterion.h>

#include <cstdlib>

using rowlock::SteadyTime;

namespace {

constexpr std::int64_t kWallMs = 1'795'345'948'123;
constexpr std::int64_t kBootMs = 5000;
constexpr std::int64_t kHourMs = 3'600'000;

// Both clocks go on together, asked every so often. Returns the last moment.
std::int64_t go_on(SteadyTime& time, std::int64_t& wall_ms, std::int64_t& boot_ms,
                   std::int64_t for_ms, std::int64_t every_ms = 1000) {
  std::int64_t last_ms = time.at(wall_ms, boot_ms);
  for (std::int64_t passed_ms = 0; passed_ms < for_ms; passed_ms += every_ms) {
    wall_ms += every_ms;
    boot_ms += every_ms;
    const std::int64_t now_ms = time.at(wall_ms, boot_ms);
    cr_assert_geq(now_ms, last_ms, "it went back by %lld ms",
                  static_cast<long long>(last_ms - now_ms));
    last_ms = now_ms;
  }
  return last_ms;
}

}  // namespace

Test(steady_time, it_is_the_wall_clock_as_long_as_nobody_sets_that) {
  SteadyTime time(kWallMs, kBootMs);
  std::int64_t wall_ms = kWallMs;
  std::int64_t boot_ms = kBootMs;

  for (const std::int64_t every_ms : {1, 7, 1000, 60'000}) {
    cr_expect_eq(go_on(time, wall_ms, boot_ms, 100 * every_ms, every_ms), wall_ms);
  }
}

Test(steady_time, a_wall_clock_that_is_corrected_by_a_little_is_followed) {
  SteadyTime time(kWallMs, kBootMs);
  std::int64_t wall_ms = kWallMs;
  std::int64_t boot_ms = kBootMs;

  for (const std::int64_t by_ms : {300, -300, 900, -900}) {
    wall_ms += by_ms;
    cr_expect_eq(go_on(time, wall_ms, boot_ms, 120'000), wall_ms, "by %d", static_cast<int>(by_ms));
  }
}

Test(steady_time, a_wall_clock_that_is_set_by_an_hour_changes_no_delay) {
  for (const std::int64_t by_ms : {-kHourMs, kHourMs, -50 * 365 * 24 * kHourMs}) {
    for (const std::int64_t every_ms : {3, 1000, 60'000}) {
      SteadyTime time(kWallMs, kBootMs);
      std::int64_t wall_ms = kWallMs;
      std::int64_t boot_ms = kBootMs;
      const std::int64_t before_ms = go_on(time, wall_ms, boot_ms, 60'000, every_ms);

      wall_ms += by_ms;
      const std::int64_t after_ms = go_on(time, wall_ms, boot_ms, 600'000, every_ms);

      cr_expect_leq(std::abs(after_ms - before_ms - 600'000), 7000, "set by %lld: %lld passed",
                    static_cast<long long>(by_ms), static_cast<long long>(after_ms - before_ms));
    }
  }
}

Test(steady_time, it_comes_back_to_the_wall_clock_within_days) {
  for (const std::int64_t by_ms : {-kHourMs, kHourMs}) {
    SteadyTime time(kWallMs, kBootMs);
    std::int64_t wall_ms = kWallMs + by_ms;
    std::int64_t boot_ms = kBootMs;

    cr_expect_eq(go_on(time, wall_ms, boot_ms, 102 * kHourMs, 5000), wall_ms);
  }
}

Test(steady_time, a_suspend_is_time_that_passed) {
  SteadyTime time(kWallMs, kBootMs);

  cr_expect_eq(time.at(kWallMs + kHourMs, kBootMs + kHourMs), kWallMs + kHourMs);
}
