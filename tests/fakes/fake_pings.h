// Watchers elsewhere that note what they are asked, answer 200 unless told otherwise, and can be
// away.
#pragma once

#include "controller/ports/pings.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace rowlock {

class FakePings final : public Pings {
 public:
  static constexpr int kSilent = 0;   // A status for one that never answers,
  static constexpr int kNobody = -1;  // and for an address at which there is none.

  bool is_away = false;
  std::map<std::string, int> statuses;  // By URL. Set before any call.

  Result<> ping(const std::string& url) override {
    const std::lock_guard lock(mutex_);
    const auto found = statuses.find(url);
    const int status = found == statuses.end() ? 200 : found->second;
    if (is_away || status == kNobody) {
      return failed(url, Cause::unreachable, "Couldn't connect to server");
    }
    heard_.push_back(url);
    if (status == kSilent) return failed(url, Cause::deadline, "no answer within 10000 ms");
    if (status < 200 || status > 299) {
      return failed(url, Cause::other, fmt::format("HTTP {}", status));
    }
    return Done{};
  }

  std::vector<std::string> heard() const {
    const std::lock_guard lock(mutex_);
    return heard_;
  }

 private:
  // Of the URL no more than its host.
  static Error failed(const std::string& url, Cause cause, const std::string& what) {
    const std::size_t host = url.find("://") + 3;
    return {Fault::transient, cause,
            fmt::format("ping {}/…: {}", url.substr(0, url.find('/', host)), what), ""};
  }

  mutable std::mutex mutex_;
  std::vector<std::string> heard_;
};

}  // namespace rowlock
