// How fast bytes may go on average. It holds nobody up by itself: it says how long to wait.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace rowlock {

class Pace {
 public:
  // 0: as fast as can be.
  explicit Pace(std::int64_t bytes_per_s) : bytes_per_s_(bytes_per_s) {}

  // So many go now. Time in which none went is not made up for.
  void spend(std::int64_t bytes, std::int64_t now_us) {
    if (bytes_per_s_ <= 0) return;
    free_at_us_ = std::max(free_at_us_, now_us) + duration_us(bytes);
  }

  // What so many take, rounded up.
  std::int64_t duration_us(std::int64_t bytes) const {
    return bytes_per_s_ <= 0 ? 0 : (bytes * kSecondUs + bytes_per_s_ - 1) / bytes_per_s_;
  }

  // Until more may go.
  std::int64_t wait_us(std::int64_t now_us) const {
    return std::max<std::int64_t>(0, free_at_us_ - now_us);
  }

  // As many of those as may go in one piece, at least 1: what takes no longer than a nap.
  std::size_t piece(std::size_t most) const {
    if (bytes_per_s_ <= 0) return most;
    const auto in_a_nap = static_cast<std::size_t>(bytes_per_s_ * kNapUs / kSecondUs);
    return std::clamp<std::size_t>(in_a_nap, 1, std::max<std::size_t>(most, 1));
  }

  static constexpr std::int64_t kSecondUs = 1'000'000;
  static constexpr std::int64_t kNapUs = 100'000;  // Nobody sleeps longer without looking up.

 private:
  std::int64_t bytes_per_s_;
  std::int64_t free_at_us_ = 0;
};

inline std::int64_t steady_now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Sleeps so long, in naps. False: it came to an end meanwhile, as `is_over` says.
template <typename IsOver>
bool sleep_until_over(std::int64_t duration_us, IsOver is_over) {
  const std::int64_t until_us = steady_now_us() + duration_us;
  while (!is_over()) {
    const std::int64_t left_us = until_us - steady_now_us();
    if (left_us <= 0) return true;
    std::this_thread::sleep_for(std::chrono::microseconds(std::min(left_us, Pace::kNapUs)));
  }
  return false;
}

}  // namespace rowlock
