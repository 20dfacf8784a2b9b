// Virtual time: what is to happen, ordered by moment and then by when it was thought of. Nothing
// waits; the clock jumps from one event to the next.
#pragma once

#include "controller/ports/clock.h"

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace rowlock::simulator {

constexpr std::int64_t kBeginningMs = 1'700'000'000'000;

class Timeline final : public Clock {
 public:
  std::int64_t now_ms() const override { return now_ms_; }
  std::int64_t wall_ms() const override { return now_ms_ + wall_ahead_ms_; }
  void set_wall_clock(std::int64_t ahead_ms) { wall_ahead_ms_ = ahead_ms; }
  std::int64_t elapsed_ms() const { return now_ms_ - kBeginningMs; }

  void after(std::int64_t delay_ms, std::function<void()> happens) {
    at(now_ms_ + delay_ms, std::move(happens));
  }
  void at(std::int64_t moment_ms, std::function<void()> happens) {
    events_.emplace(std::make_pair(std::max(moment_ms, now_ms_), sequence_++), std::move(happens));
  }

  // Has the next event happen. Requires: there is one.
  void step() {
    auto event = events_.extract(events_.begin());
    now_ms_ = event.key().first;
    event.mapped()();
  }
  bool empty() const { return events_.empty(); }

 private:
  std::int64_t now_ms_ = kBeginningMs;
  std::int64_t wall_ahead_ms_ = 0;
  std::uint64_t sequence_ = 0;
  std::map<std::pair<std::int64_t, std::uint64_t>, std::function<void()>> events_;
};

}  // namespace rowlock::simulator
