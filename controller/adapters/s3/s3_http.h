// HTTP to a service that may be far away: how to send, wait and give up. Knows nothing of S3.
#pragma once

#include "controller/adapters/http/curl_handles.h"
#include "controller/adapters/pace.h"
#include "controller/base/result.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct HttpCall {
  std::string method;
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string ca_file;               // As trust_authorities() has it.
  std::string_view body;             // Sent with PUT and POST alone.
  Pace* pace = nullptr;              // What the body keeps to; null: as fast as can be.
  std::int64_t connect_ms = 0;
  std::int64_t silence_ms = 0;   // Given up after so long without a byte; whole seconds.
  std::int64_t deadline_ms = 0;  // For the whole exchange.
  std::size_t answer_bytes_max = 0;
  // Over a connection of its own: libcurl sends a request again, and tells nobody, when one that
  // was kept breaks before the answer. For requests that are not the same when they are made twice.
  bool is_sent_once = false;
  const std::atomic<bool>* stop = nullptr;  // Gives it up, too, once set.
  bool goes_on_at_the_end = false;          // Whether `ending` is ignored.
};

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // By their names in lower case.
  std::string body;

  std::string header(const std::string& name) const;  // Empty when there is none.
};

// Thread-safe: every exchange takes a connection of its own out of a small pool.
class HttpClient {
 public:
  // Once `ending` is set, exchanges are given up within a second. It outlives this.
  explicit HttpClient(const std::atomic<bool>& ending);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any answer that came whole, whatever its status, is a success. Cause::unreachable when no
  // connection came about, Cause::deadline when it took too long, other when it broke off. The
  // message says what went wrong and nothing else. Redirects are not followed.
  Result<HttpAnswer> send(const HttpCall& call);

 private:
  struct Exchange;

  const std::atomic<bool>& ending_;
  CurlHandles handles_{4};  // So many are kept idle.
};

// A moment as HTTP writes it, such as "Sun, 06 Nov 1994 08:49:37 GMT"; 0 when it is none.
std::int64_t http_date_ms(const std::string& text);

}  // namespace rowlock
