// Nodes are looked at, never changed: these are Rowlock's eyes. Strays, containers of this home
// that have no row, are found by the same look, and removed when schema/nodes/node.sql says so.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

// The look at one node: its facts, while they are not known, and its containers.
std::vector<Hand> node_hands();

// What removes a stray.
std::vector<Hand> stray_hands();

}  // namespace rowlock
