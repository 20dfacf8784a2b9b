// What counts of a time in which somebody did not always come to look.
#include "controller/base/watched_time.h"

#include <criterion/criterion.h>

using rowlock::WatchedTime;

Test(watched_time, all_of_it_counts_while_every_look_comes_in_time) {
  WatchedTime time;
  time.look(1000);
  const std::int64_t begun_ms = time.now_ms();
  for (std::int64_t at_ms = 1050; at_ms <= 2000; at_ms += 50) {
    time.promise(50);
    time.look(at_ms);
  }

  cr_expect_eq(time.now_ms() - begun_ms, 1000);
  cr_expect_eq(time.missed_ms(), 0);
}

Test(watched_time, a_pause_counts_as_less_than_was_promised) {
  for (const std::int64_t pause_ms : {100, 1300, 45'000, 8 * 60 * 60 * 1000}) {
    WatchedTime time;
    time.look(1000);
    const std::int64_t begun_ms = time.now_ms();

    time.promise(50);
    time.look(1000 + pause_ms);

    cr_expect_eq(time.now_ms() - begun_ms, 25);
    cr_expect_eq(time.missed_ms(), pause_ms - 25);
  }
}

Test(watched_time, one_who_is_late_every_time_still_comes_to_an_end) {
  WatchedTime time;
  time.look(1000);
  const std::int64_t ends_ms = time.now_ms() + 800;
  std::int64_t at_ms = 1000;
  int looks = 0;

  while (time.now_ms() < ends_ms && looks < 1000) {
    time.promise(ends_ms - time.now_ms() < 50 ? ends_ms - time.now_ms() : 50);
    time.look(at_ms += 5000);
    ++looks;
  }

  cr_expect_leq(looks, 40, "%d", looks);
}

Test(watched_time, nobody_is_late_who_promised_nothing) {
  WatchedTime time;
  time.promise(50);
  time.promise_nothing();
  time.look(100'000);

  cr_expect_eq(time.missed_ms(), 0);
}
