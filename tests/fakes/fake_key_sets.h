// Key sets in a map; what is not in it cannot be read.
#pragma once

#include "controller/ports/key_sets.h"

#include <map>
#include <mutex>
#include <string>

namespace rowlock {

class FakeKeySets final : public KeySets {
 public:
  void set(const std::string& source, const std::string& keys) {
    const std::lock_guard lock(mutex_);
    keys_[source] = keys;
  }

  Result<std::string> read(const std::string& source) override {
    const std::lock_guard lock(mutex_);
    const auto found = keys_.find(source);
    if (found == keys_.end()) {
      return Error{Fault::transient, Cause::other, "read " + source + ": it is not there", ""};
    }
    return found->second;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> keys_;
};

}  // namespace rowlock
