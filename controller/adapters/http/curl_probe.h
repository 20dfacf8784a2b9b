// One probe as libcurl makes it: how it is set up, and what its end means.
#pragma once

#include "controller/adapters/http/curl_trouble.h"
#include "controller/ports/prober.h"

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace rowlock {

// A transfer of curl's, still to be given to whatever drives it. Its address is known to curl, so
// it stays in place.
class CurlProbe {
 public:
  static constexpr std::size_t kBodyMax =
      64 * 1024;  // Bytes of an answer that are read, and thrown away.

  // Bounded by whoever drives it, who knows how much of the time somebody looked.
  explicit CurlProbe(const Probe& probe);
  CurlProbe(const CurlProbe&) = delete;
  CurlProbe& operator=(const CurlProbe&) = delete;

  CURL* easy() const { return easy_.get(); }

  // Requires: the transfer has ended with that code. was_missed: there was a pause in which nobody
  // looked; a connection that ends without an answer may have ended for that.
  ProbeResult result(CURLcode code, bool was_missed) const;

  ProbeResult no_answer() const;  // Of one whose time is over.

 private:
  static std::size_t discard(char*, std::size_t size, std::size_t count, void* self);
  std::string why_failed(CURLcode code) const;

  struct CloseEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };

  Probe probe_;
  std::size_t body_bytes_ = 0;
  CurlTrouble trouble_;
  std::unique_ptr<CURL, CloseEasy> easy_;
};

}  // namespace rowlock
