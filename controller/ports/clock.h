// The port to time. One of it for the controller and its plan; a test turns it by hand.
//
// There are two clocks, and every moment in a row is of one of them (tests/schema/clocks_test.cpp
// lists which). What Rowlock measures by itself (deadlines, delays, back-offs, next looks) is of
// now_ms(), which only goes forward, counts suspend, and does not follow the wall clock when that
// is set. What is agreed with people and other systems (schedules, ends of certificates and signed
// tokens, what is kept for years) is of wall_ms().
#pragma once

#include <cstdint>
#include <string>

namespace rowlock {

// One moment by all clocks of a machine.
struct Moment {
  std::int64_t now_ms = 0;
  std::int64_t wall_ms = 0;
  std::int64_t boot_ms = 0;  // Since the machine was started, suspend included,
  std::string boot;          // and which start of it that was.
};

class Clock {
 public:
  virtual ~Clock() = default;

  // Milliseconds since the epoch; any thread. Never less than it was, in this process and, after
  // resume(), in those before it.
  virtual std::int64_t now_ms() const = 0;

  // What the wall clock of the machine says, in milliseconds since the epoch; any thread.
  virtual std::int64_t wall_ms() const { return now_ms(); }

  virtual Moment moment() const { return {now_ms(), wall_ms(), now_ms(), ""}; }

  // Goes on from the last moment that another process wrote down. Before any other call.
  virtual void resume(const Moment& /*last*/) {}
};

}  // namespace rowlock
