// The one file that is compiled again when the version changes: the Makefile defines
// ROWLOCK_VERSION for it alone.
#include "controller/base/version.h"

#ifndef ROWLOCK_VERSION
#error "ROWLOCK_VERSION is not defined: build with make"
#endif

namespace rowlock {

std::string_view version() { return ROWLOCK_VERSION; }

}  // namespace rowlock
