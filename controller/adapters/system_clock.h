// The world's clock in production: the system's own clocks, as controller/base/steady_time.h reads
// them.
#pragma once

#include "controller/base/steady_time.h"
#include "controller/ports/clock.h"

#include <functional>
#include <mutex>
#include <string>

namespace rowlock {

class SystemClock final : public Clock {
 public:
  // What it reads, so that a test can turn it.
  struct Sources {
    std::function<std::int64_t()> wall_ms;
    std::function<std::int64_t()> boot_ms;
    std::string boot;  // See Moment. Empty where it is not known: then each process begins anew.
  };
  static Sources system();

  explicit SystemClock(Sources sources = system());

  std::int64_t now_ms() const override;
  std::int64_t wall_ms() const override;
  Moment moment() const override;
  void resume(const Moment& last) override;

 private:
  const Sources sources_;
  mutable std::mutex mutex_;  // Workers ask as well.
  mutable SteadyTime steady_;
};

}  // namespace rowlock
