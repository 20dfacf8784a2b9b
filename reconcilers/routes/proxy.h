// The proxy as a whole: the hands that write its configuration, start and reload it, and the eyes
// that read back what it does. When, is decided in schema/routes/proxy.sql.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

std::vector<Hand> proxy_hands();

// Certificates that the proxy takes anew from their files.
std::vector<Hand> certificate_hands();

}  // namespace rowlock
