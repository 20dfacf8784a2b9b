// The port to a watcher far away, which raises the alarm when it is not told in time that all is
// well.
//
// Protocol. One call, whenever; a watcher counts two pings as two. Thread-safe.
#pragma once

#include "controller/base/result.h"

#include <string>

namespace rowlock {

class Pings {
 public:
  virtual ~Pings() = default;

  // GET of the URL, at most 10 s; all is well with a status of 200 to 299.
  virtual Result<> ping(const std::string& url) = 0;
};

}  // namespace rowlock
