// The hands of schema/backups/object_store.sql: whether a store can be used, and what was left in
// it half uploaded.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

// The look at a store. Requires: `secrets` outlives what is returned.
std::vector<Hand> object_store_hands(Secrets& secrets);

}  // namespace rowlock
