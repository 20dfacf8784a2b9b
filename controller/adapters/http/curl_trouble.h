// What libcurl does not tell: whether a transfer failed for want of something on our own machine.
#pragma once

namespace rowlock {

// Watches the transfers of one handle of libcurl's, whose options name it: it stays in place, and
// lives as long as the handle is used. Requires: the options are set anew after curl_easy_reset().
class CurlTrouble {
 public:
  CurlTrouble() = default;
  CurlTrouble(const CurlTrouble&) = delete;
  CurlTrouble& operator=(const CurlTrouble&) = delete;

  void watch(void* easy);  // Libcurl's CURL*.

  // Of a transfer that ended with that code, no success: the errno of what our machine was short
  // of, or 0 when that is not why.
  int own(void* easy, int curl_code) const;

 private:
  int socket_error_ = 0;  // What kept us from having a socket.
};

}  // namespace rowlock
