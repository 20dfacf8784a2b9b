// The public keys of issuers that are trusted: the hands of schema/secrets/trust.sql.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

// What reads the keys of an issuer.
std::vector<Hand> trust_hands();

}  // namespace rowlock
