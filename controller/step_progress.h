// How far a step is that takes long. Its worker tells, the loop asks about once a second and writes
// it beside the attempt; nothing is decided by it.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace rowlock {

// Told now and then, from 0 to `all`; 0: how much there is in all is not known.
using TellProgress =
    std::function<void(const std::string& phase, std::int64_t bytes, std::int64_t all)>;

// The one thing that a worker shares with the loop. Thread-safe.
class StepProgress {
 public:
  struct Told {
    std::string phase;  // "checking", "restoring" …
    std::int64_t done_bytes = 0;
    std::int64_t all_bytes = 0;
  };

  void tell(const std::string& phase, std::int64_t done_bytes, std::int64_t all_bytes) {
    const std::lock_guard lock(mutex_);
    told_ = Told{phase, done_bytes, all_bytes};
  }

  // The last that was told since this was asked before.
  std::optional<Told> news() {
    const std::lock_guard lock(mutex_);
    return std::exchange(told_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::optional<Told> told_;
};

}  // namespace rowlock
