// A server whose certificate is of an authority of its own: whoever is told of that one trusts it,
// by a row or by the variables that other programs heed, and nobody else does.
#include "controller/adapters/http/http_pings.h"
#include "controller/adapters/object_stores.h"
#include "tests/live/haproxy/haproxy_rig.h"

#include <criterion/criterion.h>

#include <atomic>
#include <cstdlib>

using namespace rowlock;

namespace {

struct PrivateServer {
  WebServer web{"web"};
  HaproxyRig rig;
  std::string certificate = rig.folder / "localhost.pem";

  PrivateServer() {
    for (const char* variable :
         {"AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}) {
      ::unsetenv(variable);
    }
    HaproxyRig::make_certificate(certificate, "localhost");
    rig.config.listen_tls = "127.0.0.1:" + std::to_string(rig.tls_port);
    rig.config.certificates = {certificate};
    rig.add_route("web", "localhost", "/", {&web});
    rig.run();
  }

  std::string url() const { return "https://localhost:" + std::to_string(rig.tls_port); }
};

// What is said of it once somebody answers is S3's business, and none of TLS.
std::string probed(const PrivateServer& server, const std::string& ca_file) {
  static const std::atomic<bool> never{false};
  StoreAddress address;
  address.url = "s3://bucket";
  address.endpoint = server.url();
  address.ca_file = ca_file;
  const auto facts = object_store_of(address, never)->probe();
  return facts.ok() ? "" : facts.error().message;
}

bool is_of_tls(const std::string& message) {
  return message.find("certificate") != std::string::npos;
}

}  // namespace

Test(live_authorities, a_store_is_trusted_by_its_row_and_by_the_usual_variables, .timeout = 120) {
  const PrivateServer server;

  cr_expect(is_of_tls(probed(server, "")), "%s", probed(server, "").c_str());
  cr_expect(!is_of_tls(probed(server, server.certificate)), "%s",
            probed(server, server.certificate).c_str());
  for (const char* variable : {"AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"}) {
    ::setenv(variable, server.certificate.c_str(), 1);
    cr_expect(!is_of_tls(probed(server, "")), "%s: %s", variable, probed(server, "").c_str());
    ::unsetenv(variable);
  }
  cr_expect(is_of_tls(probed(server, "")), "and not for good");
}

Test(live_authorities, whoever_is_pinged_is_trusted_alike, .timeout = 60) {
  const PrivateServer server;
  HttpPings pings;

  const auto unknown = pings.ping(server.url() + "/");
  cr_assert(!unknown.ok());
  cr_expect(is_of_tls(unknown.error().message), "%s", unknown.error().message.c_str());
  ::setenv("SSL_CERT_FILE", server.certificate.c_str(), 1);
  const auto known = pings.ping(server.url() + "/");
  cr_expect(known.ok(), "%s", known.ok() ? "" : known.error().message.c_str());
}
