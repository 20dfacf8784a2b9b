// By libcurl. The whole address of a ping is a secret, so errors are put together here from its
// host alone and never from libcurl's own words about the URL.
#include "controller/adapters/http/http_pings.h"

#include "controller/adapters/http/authorities.h"
#include "controller/adapters/http/curl_trouble.h"
#include "controller/base/own_trouble.h"
#include "controller/base/text.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <memory>

namespace rowlock {
namespace {

constexpr std::size_t kHostShown = 80;

struct CloseEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

template <typename Option>
void set(CURL* easy, CURLoption option, Option value) {
  CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

// Refusing more than the bound ends the transfer; the status has been seen by then.
std::size_t discard(char*, std::size_t size, std::size_t count, void* body_bytes) {
  std::size_t& bytes = *static_cast<std::size_t*>(body_bytes);
  bytes += size * count;
  return bytes <= HttpPings::kBodyBytesMax ? size * count : 0;
}

// "https://host:port/…"; empty: it is no such address. A name and password before an '@' are left
// out.
std::string shown(const std::string& url) {
  const std::size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  std::string host = url.substr(scheme, url.find_first_of("/?#", scheme) - scheme);
  if (const auto at = host.rfind('@'); at != std::string::npos) host.erase(0, at + 1);
  if (scheme == 0 || host.empty()) return "";
  return url.substr(0, scheme) + truncated(host, kHostShown) + "/…";
}

void set_up(CURL* easy, const std::string& url, std::int64_t deadline_ms, std::size_t& body_bytes) {
  // A URL may be longer than curl takes; without one the transfer fails as one with a bad URL does.
  (void)curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  set(easy, CURLOPT_HTTPGET, 1L);
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(deadline_ms));
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_FOLLOWLOCATION, 1L);
  set(easy, CURLOPT_MAXREDIRS, HttpPings::kRedirectsMax);
  set(easy, CURLOPT_USERAGENT, "rowlock");
  set(easy, CURLOPT_WRITEFUNCTION, discard);
  set(easy, CURLOPT_WRITEDATA, &body_bytes);
}

}  // namespace

Result<> HttpPings::ping(const std::string& url) {
  const std::string address = shown(url);
  if (address.empty()) {
    return Error{Fault::rejected, Cause::other, "ping: not an address to ping",
                 "one begins with https:// or http:// and a host"};
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, CloseEasy> handle(curl_easy_init());
  CHECK(handle != nullptr);
  CURL* easy = handle.get();
  std::size_t body_bytes = 0;
  set_up(easy, url, deadline_ms_, body_bytes);
  trust_authorities(easy);
  CurlTrouble trouble;
  trouble.watch(easy);
  const CURLcode code = curl_easy_perform(easy);
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (const int own = code == CURLE_OK ? 0 : trouble.own(easy, code); own != 0) {
    return own_trouble("ping " + address, own);
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return Error{Fault::transient, Cause::deadline,
                 fmt::format("ping {}: no answer within {} ms", address, deadline_ms_), ""};
  }
  const bool is_cut_off = code == CURLE_WRITE_ERROR && body_bytes > kBodyBytesMax;
  if (code != CURLE_OK && !is_cut_off) {
    const bool is_malformed = code == CURLE_URL_MALFORMAT;
    return Error{is_malformed ? Fault::rejected : Fault::transient,
                 is_malformed ? Cause::other : Cause::unreachable,
                 fmt::format("ping {}: {}", address, curl_easy_strerror(code)), ""};
  }
  if (status < 200 || status > 299) {
    return Error{
        Fault::transient, status == 404 ? Cause::not_found : Cause::other,
        fmt::format("ping {}: HTTP {}", address, status),
        status == 404 || status == 410 ? "is the address that of a check that is there?" : ""};
  }
  return Done{};
}

}  // namespace rowlock
