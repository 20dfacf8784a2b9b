// What every Proxy must do, the fake and the real one alike. No request is sent: this is about what
// the proxy says of itself, before and after each change.
#pragma once

#include "controller/ports/proxy.h"

#include <functional>
#include <string>

namespace rowlock {

// What the proxy under test may use, and what can be done to it from outside.
struct ProxyFixture {
  std::string home = "conformance-home";
  std::string listen;      // ADDRESS:PORT that nobody else has.
  std::string listen_tls;  // The same, for the certificates.
  std::string folder_for_files;
  std::function<void()> kill;  // By another hand than the proxy's, and without warning.
  // Makes it a configuration that the proxy refuses.
  std::function<ProxyConfig(ProxyConfig)> spoil;
  // Puts a certificate for example.org with its key into a file of that folder; every one that is
  // good is another one than before. Null: certificates are not tested.
  std::function<void(const std::string& file, bool good)> write_certificate;
};

// What stands in slot N: a proxy that looks for itself must find that it takes connections. Beside
// these 127.0.8.N:800N there is ::1 with the port of slot 1.
constexpr int kConformanceSlots = 4;
std::string conformance_address(int slot);
int conformance_port(int slot);

// Runs every case, and leaves the proxy stopped. Failures are reported through Criterion and name
// the case. Requires: the proxy does not run, and nothing was ever saved.
void check_proxy(Proxy& proxy, const ProxyFixture& fixture);

}  // namespace rowlock
