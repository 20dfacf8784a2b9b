// The system's own clocks, and how a process goes on where another one left them.
#include "controller/adapters/system_clock.h"

#include "controller/base/time.h"

#include <criterion/criterion.h>

#include <cstdlib>

using rowlock::Moment;
using rowlock::SystemClock;

namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kMarginMs = 60'000;  // Of a machine that is busy.

bool are_near(std::int64_t one_ms, std::int64_t other_ms) {
  return std::abs(one_ms - other_ms) < kMarginMs;
}

}  // namespace

Test(system_clock, it_begins_with_the_wall_clock) {
  const SystemClock clock;

  const Moment moment = clock.moment();

  cr_expect(are_near(moment.now_ms, rowlock::system_now_ms()));
  cr_expect(are_near(moment.wall_ms, rowlock::system_now_ms()));
  cr_expect_gt(moment.boot_ms, 0);
  cr_expect(!moment.boot.empty());
}

Test(system_clock, a_process_of_the_same_boot_goes_on_whatever_the_wall_clock_says) {
  const Moment here = SystemClock().moment();
  for (const std::int64_t ahead_ms : {kHourMs, -kHourMs}) {
    SystemClock clock;

    // The wall clock was set by so much in between; ten seconds have passed.
    clock.resume({here.now_ms + ahead_ms, here.wall_ms, here.boot_ms - 10'000, here.boot});

    cr_expect(are_near(clock.now_ms(), here.now_ms + ahead_ms + 10'000));
  }
}

Test(system_clock, after_another_boot_the_wall_clock_counts_unless_it_went_back) {
  const Moment here = SystemClock().moment();
  for (const Moment& last :
       {Moment{here.now_ms - kHourMs, here.wall_ms - kHourMs, 1000, "another boot"},
        Moment{here.now_ms - kHourMs, here.wall_ms - kHourMs, here.boot_ms + kHourMs, here.boot},
        Moment{here.now_ms - kHourMs, 0, 0, ""}}) {
    SystemClock clock;
    clock.resume(last);
    cr_expect(are_near(clock.now_ms(), rowlock::system_now_ms()));
  }
  SystemClock clock;

  clock.resume({here.now_ms + kHourMs, here.wall_ms + kHourMs, 1000, "another boot"});

  cr_expect(are_near(clock.now_ms(), here.now_ms + kHourMs));
}
