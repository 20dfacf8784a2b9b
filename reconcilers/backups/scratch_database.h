// The hand of schema/backups/scratch_database.sql: what a run left on a server is dropped.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

// Drops one. Requires: `secrets` outlives what is returned.
std::vector<Hand> scratch_database_hands(Secrets& secrets);

}  // namespace rowlock
