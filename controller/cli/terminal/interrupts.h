// Ctrl-C while something is watched: it ends the watching, and nothing else.
#pragma once

#include <csignal>
#include <cstdint>

namespace rowlock {

// As long as one lives, SIGINT and SIGTERM wait for sleep() to take them.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Returns true at once when a signal came, false after the time.
  bool sleep(std::int64_t time_ms) const;

 private:
  sigset_t watched_;
  sigset_t before_;
};

}  // namespace rowlock
