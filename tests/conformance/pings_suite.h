// What every Pings must do, the fake and the real one alike.
#pragma once

#include "controller/ports/pings.h"

#include <cstdint>
#include <functional>
#include <string>

namespace rowlock {

struct PingsFixture {
  // A URL of a watcher that answers with that status, whose path, as any such, is a secret.
  std::function<std::string(int status)> url_of;
  std::string url_of_silent;                         // It takes the question and never answers.
  std::string url_of_none;                           // Nobody listens there.
  std::string secret;                                // What is in the paths of all of these.
  std::function<int(const std::string& url)> heard;  // How often a watcher was asked.
  std::int64_t deadline_ms = 0;
};

// Runs every case. Failures are reported through Criterion and name the case.
void check_pings(Pings& pings, const PingsFixture& fixture);

}  // namespace rowlock
