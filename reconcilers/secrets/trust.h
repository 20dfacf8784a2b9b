// The public keys of issuers that are trusted: the hands of schema/secrets/trust.sql.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

std::vector<Hand> trust_hands();

}  // namespace rowlock
