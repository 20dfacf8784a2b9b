// Images that a node needs no more: taken away, and the disk looked at. Which and when is decided
// in schema/nodes/image.sql.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

std::vector<Hand> image_hands();

}  // namespace rowlock
