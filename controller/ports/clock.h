// The port to time. One of it for the controller and its plan; a test turns it by hand.
#pragma once

#include <cstdint>

namespace rowlock {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now_ms() const = 0;  // Milliseconds since the epoch.
};

}  // namespace rowlock
