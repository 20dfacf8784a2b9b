// The port Pings over HTTP.
#pragma once

#include "controller/ports/pings.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace rowlock {

class HttpPings : public Pings {
 public:
  static constexpr std::int64_t kDeadlineMs = 10'000;
  static constexpr std::size_t kBodyBytesMax = 64 * 1024;  // That are read, and thrown away.
  static constexpr long kRedirectsMax = 5;                 // To http and https alone.

  explicit HttpPings(std::int64_t deadline_ms = kDeadlineMs) : deadline_ms_(deadline_ms) {}

  // An error names the host alone: the rest of the address is what lets anybody ping.
  Result<> ping(const std::string& url) override;

 private:
  std::int64_t deadline_ms_;
};

}  // namespace rowlock
