// Whom a TLS connection trusts to say who the other side is: one rule for all that is spoken here.
#pragma once

#include <string>

namespace rowlock {

// The authorities of `ca_file`, a PEM file; of none, those that the variables of the environment
// name which other programs heed: `variable` if one is given, CURL_CA_BUNDLE, SSL_CERT_FILE, and
// the folder SSL_CERT_DIR; of none, those of the system. `easy` is libcurl's CURL*.
void trust_authorities(void* easy, const std::string& ca_file = "", const char* variable = nullptr);

}  // namespace rowlock
