// libcurl itself, unlike the program curl, heeds none of these variables.
#include "controller/adapters/http/authorities.h"

#include <curl/curl.h>

#include <cstdlib>
#include <initializer_list>

namespace rowlock {

namespace {

std::string environment(const char* variable) {
  const char* const value = variable == nullptr ? nullptr : std::getenv(variable);
  return value == nullptr ? "" : value;
}

}  // namespace

void trust_authorities(void* easy, const std::string& ca_file, const char* variable) {
  std::string file = ca_file;
  for (const char* each : {variable, "CURL_CA_BUNDLE", "SSL_CERT_FILE"}) {
    if (file.empty()) file = environment(each);
  }
  if (!file.empty()) {
    curl_easy_setopt(static_cast<CURL*>(easy), CURLOPT_CAINFO, file.c_str());
  }
  if (const std::string folder = environment("SSL_CERT_DIR"); !folder.empty() && ca_file.empty()) {
    curl_easy_setopt(static_cast<CURL*>(easy), CURLOPT_CAPATH, folder.c_str());
  }
}

}  // namespace rowlock
