// The world's clock in production: the system's own.
#pragma once

#include "controller/base/time.h"
#include "controller/ports/clock.h"

namespace rowlock {

class SystemClock final : public Clock {
 public:
  std::int64_t now_ms() const override { return system_now_ms(); }
};

}  // namespace rowlock
