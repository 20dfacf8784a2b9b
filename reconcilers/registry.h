// The one list of kinds that have hands.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

Reconcilers all_reconcilers();

}  // namespace rowlock
