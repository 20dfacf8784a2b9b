// The proxy as a whole: the hands that write its configuration, start and reload it, and the eyes
// that read back what it does. When, is decided in schema/routes/proxy.sql.
#pragma once

#include "controller/reconciler.h"

namespace rowlock {

// A hand for each step that is about the proxy as a whole.
std::vector<Hand> proxy_hands();

// What has the proxy take a certificate anew from its file.
std::vector<Hand> certificate_hands();

}  // namespace rowlock
