// The boot clock rather than the monotonic one, which stands still while the machine is suspended.
#include "controller/adapters/system_clock.h"

#include "controller/base/time.h"

#include <algorithm>
#include <fstream>
#include <time.h>
#include <utility>

namespace rowlock {

namespace {

std::int64_t boot_now_ms() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::string boot_id() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

}  // namespace

SystemClock::Sources SystemClock::system() { return {system_now_ms, boot_now_ms, boot_id()}; }

SystemClock::SystemClock(Sources sources)
    : sources_(std::move(sources)), steady_(sources_.wall_ms(), sources_.boot_ms()) {}

std::int64_t SystemClock::now_ms() const { return moment().now_ms; }

std::int64_t SystemClock::wall_ms() const { return sources_.wall_ms(); }

Moment SystemClock::moment() const {
  const std::lock_guard lock(mutex_);
  const std::int64_t boot_ms = sources_.boot_ms();
  const std::int64_t wall_ms = sources_.wall_ms();
  return {steady_.at(wall_ms, boot_ms), wall_ms, boot_ms, sources_.boot};
}

// How long the machine was off only the wall clock knows; it is believed, unless it says that time
// went back.
void SystemClock::resume(const Moment& last) {
  const std::lock_guard lock(mutex_);
  const std::int64_t boot_ms = sources_.boot_ms();
  const bool is_same_boot =
      !sources_.boot.empty() && last.boot == sources_.boot && last.boot_ms <= boot_ms;
  steady_ = is_same_boot ? SteadyTime(last.now_ms, last.boot_ms)
                         : SteadyTime(std::max(last.now_ms, sources_.wall_ms()), boot_ms);
}

}  // namespace rowlock
