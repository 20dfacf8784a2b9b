// The hand of schema/backups/home_pointer.sql: a store is told where the newest backup of the home
// is.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

// Tells a store. Requires: `secrets` outlives what is returned.
std::vector<Hand> home_pointer_hands(Secrets& secrets);

}  // namespace rowlock
