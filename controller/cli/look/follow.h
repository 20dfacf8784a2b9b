// Watching one thing that was asked for, until it is settled. Ctrl-C ends the watching, and nothing
// else. (`rowlock wait` watches everything: wait.h.)
#pragma once

#include "controller/cli/call.h"

#include <cstdint>
#include <functional>
#include <string>

namespace rowlock {

struct Followed {
  std::string line;      // How it stands; told whenever it changes. Empty: as before.
  std::string phase;     // What takes long just now; empty: nothing does,
  std::string progress;  // and how far that is.
  bool is_settled = false;
  bool is_good = true;
};

// What is to be said of a row of desired.db that the controller has not heard of: "asked for", and
// what stands in its way.
Result<std::string> asked_for(const Call& call);

// Looks again and again. Returns the exit code: well, failed, or interrupted. An error when no
// controller runs that could do it. Requires: the verb needs the state.
Result<int> follow(const Call& call, std::int64_t timeout_ms,
                   const std::function<Result<Followed>()>& look);

}  // namespace rowlock
