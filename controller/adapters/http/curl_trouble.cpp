// Libcurl keeps no errno of a socket that was never made, so it is made here.
#include "controller/adapters/http/curl_trouble.h"

#include "controller/base/check.h"
#include "controller/base/own_trouble.h"

#include <curl/curl.h>

#include <cerrno>
#include <sys/socket.h>

namespace rowlock {

namespace {

curl_socket_t open_socket(void* error, curlsocktype, curl_sockaddr* address) {
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  *static_cast<int*>(error) = fd < 0 ? errno : 0;
  return fd < 0 ? CURL_SOCKET_BAD : fd;
}

}  // namespace

void CurlTrouble::watch(void* easy) {
  socket_error_ = 0;
  CHECK(curl_easy_setopt(static_cast<CURL*>(easy), CURLOPT_OPENSOCKETFUNCTION, open_socket) ==
        CURLE_OK);
  CHECK(curl_easy_setopt(static_cast<CURL*>(easy), CURLOPT_OPENSOCKETDATA, &socket_error_) ==
        CURLE_OK);
}

int CurlTrouble::own(void* easy, int curl_code) const {
  if (is_own_trouble(socket_error_)) {
    return socket_error_;
  }
  long error = 0;
  curl_easy_getinfo(static_cast<CURL*>(easy), CURLINFO_OS_ERRNO, &error);
  if (is_own_trouble(static_cast<int>(error))) {
    return static_cast<int>(error);
  }
  switch (curl_code) {
    case CURLE_OUT_OF_MEMORY: return ENOMEM;
    // Each opens files of its own, and says nothing of why it could not.
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE: return own_trouble_now();
  }
  return 0;
}

}  // namespace rowlock
