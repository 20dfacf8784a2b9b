// One look after the other, each with what it adds.
#include "controller/base/watched_time.h"

namespace rowlock {

void WatchedTime::look(std::int64_t at_ms) {
  const std::int64_t gap_ms = at_ms - looked_at_ms_;
  const bool is_late = promised_ms_ > 0 && gap_ms > promised_ms_ + kLateMs;
  const std::int64_t counted_ms = is_late ? (promised_ms_ + 1) / 2 : gap_ms;
  watched_ms_ += counted_ms;
  missed_ms_ += gap_ms - counted_ms;
  looked_at_ms_ = at_ms;
}

}  // namespace rowlock
