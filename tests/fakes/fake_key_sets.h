// Key sets in a map; what is not in it cannot be read.
#pragma once

#include "controller/crypto/jwt.h"
#include "controller/ports/key_sets.h"

#include <map>
#include <mutex>
#include <string>

namespace rowlock {

class FakeKeySets final : public KeySets {
 public:
  void set(const std::string& source, const std::string& text) {
    const std::lock_guard lock(mutex_);
    texts_[source] = text;
  }

  Result<std::string> read(const std::string& source) override {
    const std::lock_guard lock(mutex_);
    const auto found = texts_.find(source);
    if (found == texts_.end()) return failed(Fault::transient, source, "it is not there");
    if (found->second.size() > kBytesMax) {
      return failed(Fault::transient, source, "it is over 1 MB, which no key set is");
    }
    if (const auto keys = JwtKeys::parse(found->second); !keys.ok()) {
      return failed(Fault::rejected, source, keys.error().message);
    }
    return found->second;
  }

 private:
  static Error failed(Fault fault, const std::string& source, const std::string& what) {
    return {fault, Cause::other, "read " + source + ": " + what,
            "correct trust.keys, or wait until it is there"};
  }

  std::mutex mutex_;
  std::map<std::string, std::string> texts_;
};

}  // namespace rowlock
