// JSON merge patches (RFC 7396).
#pragma once

#include "controller/base/json.h"

namespace rowlock {

// `target` with the patch applied: members that it names as null are gone, others are set, objects
// are merged.
Json merged(const Json& target, const Json& patch);

}  // namespace rowlock
