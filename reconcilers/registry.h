// The one list of kinds that have hands.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

// Requires: all of them outlive what is returned.
Reconcilers all_reconcilers(Secrets& secrets, Database& state, const Schema& schema);

}  // namespace rowlock
