// The signals are blocked and waited for with sigtimedwait(), so there is no handler and nothing to
// race with.
#include "controller/cli/terminal/interrupts.h"

#include <ctime>

namespace rowlock {

Interrupts::Interrupts() {
  sigemptyset(&watched_);
  sigaddset(&watched_, SIGINT);
  sigaddset(&watched_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &watched_, &before_);
}

Interrupts::~Interrupts() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

bool Interrupts::sleep(std::int64_t time_ms) const {
  const timespec time{time_ms / 1000, time_ms % 1000 * 1'000'000};
  return sigtimedwait(&watched_, nullptr, &time) > 0;
}

}  // namespace rowlock
