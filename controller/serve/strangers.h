// Whoever is on this machine may ask over loopback, and what is refused is a line of the audit log,
// which is never cut. Of those who could not say who they are, so many are written down in a while;
// the others are turned away with nothing said of them but that.
#pragma once

#include <cstdint>

namespace rowlock {

class Strangers {
 public:
  static constexpr int kWrittenMax = 100;
  static constexpr std::int64_t kWhileMs = 10'000;

  // Whether one more refusal is to be written down.
  bool may_be_written(std::int64_t now_ms) {
    if (now_ms >= since_ms_ + kWhileMs || now_ms < since_ms_) {
      since_ms_ = now_ms;
      written_ = 0;
    }
    return ++written_ <= kWrittenMax;
  }

 private:
  std::int64_t since_ms_ = 0;
  int written_ = 0;
};

}  // namespace rowlock
