// The hands of schema/backups/restore.sql: a backup becomes a database under a name of its own, and
// takes the name that was asked for once it is equal to what was dumped.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

// A hand for each step of a restore. Requires: `secrets` outlives what is returned.
std::vector<Hand> restore_hands(Secrets& secrets);

}  // namespace rowlock
