// What the engines of a home say of containers of any home, for when the home itself cannot tell.
#pragma once

#include "controller/base/result.h"
#include "controller/store/home.h"

namespace rowlock {

// The error, and behind its message how many containers of which home each engine has: those of the
// nodes in desired.db, this machine's when there are none. Asks each for some seconds at most; one
// that does not answer is named. Only where the error says that state.db is lost.
Error with_what_runs(Error error, const Home& home);

}  // namespace rowlock
