// A job's instances are containers; this is their hands. What should happen is decided in
// schema/work/instance.sql: here every step is one call on the runtime, and any of them may be
// repeated.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

// A hand for each step that calls the runtime of the instance's node, but for those that ask a
// registry.
std::vector<Hand> instance_hands();

}  // namespace rowlock
