// What curl is told before a probe, and how its answer reads.
#include "controller/adapters/http/curl_probe.h"

#include "controller/base/check.h"
#include "controller/base/own_trouble.h"
#include "controller/base/text.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace rowlock {
namespace {

constexpr const char* kRefused = "connection refused";
constexpr std::size_t kUrlShown = 200;           // Columns.
constexpr long kNeverMs = 24L * 60 * 60 * 1000;  // Libcurl's own would be five minutes.

template <typename Value>
void set(CURL* easy, CURLoption option, Value value) {
  CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

std::string url_of(const Probe& probe) {
  const bool is_ipv6 = probe.address.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + probe.address + "]" : probe.address;
  const bool is_http = probe.type == Probe::Type::http;
  return fmt::format("http://{}:{}{}", host, probe.port, is_http ? probe.path : "/");
}

std::string why_not_connected(CURL* easy) {
  long error = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
  switch (error) {
    case ECONNREFUSED: return kRefused;
    case EHOSTUNREACH: return "no route to host";
    case ENETUNREACH: return "network unreachable";
    case 0: return "cannot connect";
  }
  return fmt::format("cannot connect: {}", std::strerror(static_cast<int>(error)));
}

}  // namespace

// A probe must find what is there: no proxy, no connection from before, no redirect, no ~/.netrc.
CurlProbe::CurlProbe(const Probe& probe) : probe_(probe), easy_(curl_easy_init()) {
  CURL* easy = easy_.get();
  CHECK(easy != nullptr);
  // A row's path may be longer than curl takes; without a URL the transfer fails as one with a bad
  // URL does.
  (void)curl_easy_setopt(easy, CURLOPT_URL, url_of(probe).c_str());
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, kNeverMs);
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_QUICK_EXIT, 1L);  // Else giving up on a slow name server would block the loop.
  set(easy, CURLOPT_PROXY, "");
  set(easy, CURLOPT_FRESH_CONNECT, 1L);
  set(easy, CURLOPT_FORBID_REUSE, 1L);
  set(easy, CURLOPT_PROTOCOLS_STR, "http");
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  set(easy, CURLOPT_PATH_AS_IS, 1L);
  set(easy, CURLOPT_USERAGENT, "rowlock");
  trouble_.watch(easy);
  set(easy, CURLOPT_WRITEFUNCTION, discard);
  set(easy, CURLOPT_WRITEDATA, this);
  if (probe.type == Probe::Type::tcp) {
    set(easy, CURLOPT_CONNECT_ONLY, 1L);
  }
}

// Refusing more than the body's bound ends the transfer; the status has been seen by then.
std::size_t CurlProbe::discard(char*, std::size_t size, std::size_t count, void* self) {
  std::size_t& bytes = static_cast<CurlProbe*>(self)->body_bytes_;
  bytes += size * count;
  return bytes <= kBodyMax ? size * count : 0;
}

// Requires: the code is a failure. Codes are curl's, an open set, so there is a way out for those
// not named.
std::string CurlProbe::why_failed(CURLcode code) const {
  switch (static_cast<int>(code)) {
    case CURLE_COULDNT_CONNECT: return why_not_connected(easy());
    case CURLE_COULDNT_RESOLVE_HOST: return "no such host: " + probe_.address;
    case CURLE_URL_MALFORMAT:
      return "not an address and path: " + truncated(url_of(probe_), kUrlShown);
    case CURLE_GOT_NOTHING: return "connection closed without an answer";
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR: return "connection cut";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return "not an HTTP answer";
  }
  return curl_easy_strerror(code);
}

ProbeResult CurlProbe::result(CURLcode code, bool was_missed) const {
  long status = 0;
  curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
  const bool is_cut_off = code == CURLE_WRITE_ERROR && body_bytes_ > kBodyMax;
  if (code != CURLE_OK && !is_cut_off) {
    if (const int own = trouble_.own(easy(), code); own != 0) {
      return {false, own_trouble_in_words(own), false};
    }
    const std::string why = why_failed(code);
    const bool may_be_ours = was_missed && why != kRefused;
    // A name that leads nowhere leads to nobody who could have failed.
    return {false, why, code != CURLE_COULDNT_RESOLVE_HOST && !may_be_ours};
  }
  if (probe_.type == Probe::Type::tcp) {
    return {true, "connected"};
  }
  return {status >= 200 && status <= 299, fmt::format("HTTP {}", status)};
}

ProbeResult CurlProbe::no_answer() const {
  return {false, fmt::format("no answer within {} ms", probe_.timeout_ms)};
}

}  // namespace rowlock
