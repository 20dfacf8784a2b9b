// Whose turn it is, job by job.
#include "controller/base/lanes.h"

#include <criterion/criterion.h>

#include <string>
#include <vector>

using rowlock::Lanes;

namespace {

constexpr std::int64_t kNowMs = 1'000'000;

// All that may begin now, in their order.
std::vector<std::uint64_t> begin_all(Lanes& lanes, std::int64_t now_ms) {
  std::vector<std::uint64_t> begun;
  while (const auto job = lanes.begin(now_ms)) begun.push_back(*job);
  return begun;
}

}  // namespace

Test(lanes, a_lane_runs_no_more_than_it_may_in_the_order_they_came) {
  Lanes lanes;
  for (std::uint64_t job = 0; job < 20; ++job) lanes.wait(job, {"node", ""});
  cr_assert_eq(lanes.startable(kNowMs), Lanes::kBrisk);
  const auto begun = begin_all(lanes, kNowMs);
  cr_assert_eq(begun.size(), Lanes::kBrisk);
  for (std::uint64_t job = 0; job < begun.size(); ++job) cr_assert_eq(begun[job], job);
  cr_assert_eq(lanes.startable(kNowMs), 0);
  lanes.end(3);
  cr_assert_eq(*lanes.begin(kNowMs), Lanes::kBrisk);
}

Test(lanes, a_name_does_not_fill_its_lane) {
  Lanes lanes;
  for (std::uint64_t job = 0; job < 12; ++job) lanes.wait(job, {"node", "hangs"});
  cr_assert_eq(begin_all(lanes, kNowMs).size(), Lanes::kOfName);
  lanes.wait(12, {"node", "shop"});
  cr_assert_eq(*lanes.begin(kNowMs), 12);
  lanes.end(12);
  cr_assert_not(lanes.begin(kNowMs).has_value());
  lanes.end(0);
  cr_assert_eq(*lanes.begin(kNowMs), Lanes::kOfName);
}

Test(lanes, what_hangs_gives_up_its_place_in_the_lane_but_not_that_of_its_name) {
  Lanes lanes;
  for (std::uint64_t job = 0; job < 8; ++job) lanes.wait(job, {"node", job < 4 ? "a" : "b"});
  cr_assert_eq(begin_all(lanes, kNowMs).size(), 8);
  cr_assert_not(lanes.next_slow_ms(kNowMs).has_value(), "nobody waits for it");
  for (std::uint64_t job = 8; job < 12; ++job) lanes.wait(job, {"node", "a"});
  lanes.wait(12, {"node", "shop"});
  cr_assert_not(lanes.begin(kNowMs).has_value());
  const std::int64_t slow_ms = kNowMs + Lanes::kSlowAfterMs;
  cr_assert_eq(*lanes.next_slow_ms(kNowMs), slow_ms);
  cr_assert_not(lanes.begin(slow_ms - 1).has_value());

  const std::vector<std::uint64_t> expected = {8, 9, 12};  // Two more of a, which has six by then.
  cr_assert(begin_all(lanes, slow_ms) == expected);
}

Test(lanes, however_many_hang_a_lane_has_an_end) {
  Lanes lanes;
  std::uint64_t job = 0;
  std::size_t running = 0;
  for (std::int64_t now_ms = kNowMs; now_ms < kNowMs + 20 * Lanes::kSlowAfterMs;
       now_ms += Lanes::kSlowAfterMs) {
    for (int i = 0; i < 10; ++i, ++job) lanes.wait(job, {"node", std::to_string(job)});
    running += begin_all(lanes, now_ms).size();
  }
  cr_assert_eq(running, Lanes::kOfLane);
  cr_assert_not(lanes.next_slow_ms(kNowMs + 100 * Lanes::kSlowAfterMs).has_value());
}

Test(lanes, what_heals_goes_first_and_what_was_tried_before_last) {
  Lanes lanes;
  lanes.wait(0, {"node", "tried", 2});
  lanes.wait(1, {"node", "rolls", 1});
  lanes.wait(2, {"node", "heals", 0});
  lanes.wait(3, {"node", "rolls", 1});
  lanes.wait(4, {"node", "heals", 0});
  const std::vector<std::uint64_t> expected = {2, 4, 1, 3, 0};
  cr_assert(begin_all(lanes, kNowMs) == expected);
}

Test(lanes, no_lane_waits_for_another_one_whatever_its_turns) {
  Lanes lanes;
  lanes.wait(0, {"store", "nightly", 2});
  for (std::uint64_t job = 1; job < 100; ++job) lanes.wait(job, {"node", "heals", 0});
  cr_assert_eq(*lanes.begin(kNowMs), 0);
}

Test(lanes, what_has_ended_leaves_nothing_behind) {
  Lanes lanes;
  for (std::uint64_t job = 0; job < 100; ++job) {
    lanes.wait(job, {std::to_string(job % 7), std::to_string(job % 3), static_cast<int>(job % 2)});
  }
  std::size_t ended = 0;
  while (const auto job = lanes.begin(kNowMs)) {
    lanes.end(*job);
    ++ended;
  }
  cr_assert_eq(ended, 100);
  cr_assert_eq(lanes.waiting(), 0);
  cr_assert_eq(lanes.startable(kNowMs), 0);
}
