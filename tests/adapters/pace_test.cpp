// How fast bytes may go, on a clock of the test's own.
#include "controller/adapters/pace.h"

#include <criterion/criterion.h>

using rowlock::Pace;

Test(pace, bytes_wait_for_those_before_them) {
  Pace pace(1000);

  cr_expect(pace.wait_us(5'000'000) == 0);
  pace.spend(500, 5'000'000);
  cr_expect(pace.wait_us(5'000'000) == 500'000);
  cr_expect(pace.wait_us(5'400'000) == 100'000);
  cr_expect(pace.wait_us(5'500'000) == 0);
  pace.spend(1000, 5'500'000);
  cr_expect(pace.wait_us(5'500'000) == 1'000'000);
}

Test(pace, time_in_which_none_went_is_not_made_up_for) {
  Pace pace(1000);
  pace.spend(1, 0);

  pace.spend(1000, 60'000'000);

  cr_expect(pace.wait_us(60'000'000) == 1'000'000);
}

Test(pace, over_any_time_no_more_goes_than_may) {
  Pace pace(12'345);
  std::int64_t now_us = 0;
  std::int64_t sent = 0;
  while (sent < 1'000'000) {
    now_us += pace.wait_us(now_us);
    const auto piece = static_cast<std::int64_t>(pace.piece(64 * 1024));
    pace.spend(piece, now_us);
    sent += piece;
    // What has just gone may be one nap ahead.
    cr_expect(sent <= 12'345 * (now_us + Pace::kNapUs) / Pace::kSecondUs + 1);
  }
  cr_expect(now_us >= 80'000'000);
}

Test(pace, a_piece_takes_no_longer_than_a_nap) {
  cr_expect(Pace(10'000).piece(1'000'000) == 1000);
  cr_expect(Pace(10'000).piece(10) == 10);
  cr_expect(Pace(1).piece(1000) == 1);
  cr_expect(Pace(0).piece(1'000'000) == 1'000'000);
}
