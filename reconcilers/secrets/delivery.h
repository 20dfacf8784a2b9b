// What an instance is given to keep to itself: the hands of schema/secrets/delivery.sql. Values are
// put together on the loop thread, where the keys are, and written to the instance's folder by a
// worker.
#pragma once

#include "controller/reconciler.h"
#include "controller/secrets/secrets.h"

namespace rowlock {

// A hand for each step that is about the folder of an instance. Requires: all of them outlive what
// is returned.
std::vector<Hand> delivery_hands(Secrets& secrets, Database& state, const Schema& schema);

}  // namespace rowlock
