// Time that counts only while somebody looks. A process that is stopped, starved by a busy machine
// or suspended with it learns nothing meanwhile, and what it gives up for taking too long after
// such a pause may have answered long ago.
//
// Protocol: whoever waits for something calls look() each time it comes to look, and then says with
// promise() within what time it will look again. A look that comes much later than was promised
// counts half of what was promised, whatever the pause: so a pause ends no wait, and one who comes
// late every time still comes to an end.
#pragma once

#include <cstdint>

namespace rowlock {

class WatchedTime {
 public:
  static constexpr std::int64_t kLateMs = 20;  // So much later than promised is not late yet.

  // `at_ms`: any clock that is never set back, and goes on while the machine is suspended.
  void look(std::int64_t at_ms);

  // From the last look on. Requires: more than 0.
  void promise(std::int64_t ms) { promised_ms_ = ms; }
  void promise_nothing() { promised_ms_ = 0; }  // Nobody waits: the next look is never late.

  std::int64_t now_ms() const { return watched_ms_; }
  std::int64_t missed_ms() const { return missed_ms_; }  // So far, in all.

 private:
  std::int64_t looked_at_ms_ = 0;
  std::int64_t promised_ms_ = 0;
  std::int64_t watched_ms_ = 0;
  std::int64_t missed_ms_ = 0;
};

}  // namespace rowlock
