// A watcher elsewhere that notes what it is asked, and can be away.
#pragma once

#include "controller/ports/pings.h"

#include <mutex>
#include <string>
#include <vector>

namespace rowlock {

class FakePings final : public Pings {
 public:
  bool is_away = false;

  Result<> ping(const std::string& url) override {
    const std::lock_guard lock(mutex_);
    if (is_away) {
      return Error{Fault::transient, Cause::unreachable, "ping " + url + ": nobody answers", ""};
    }
    heard_.push_back(url);
    return Done{};
  }

  std::vector<std::string> heard() const {
    const std::lock_guard lock(mutex_);
    return heard_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> heard_;
};

}  // namespace rowlock
