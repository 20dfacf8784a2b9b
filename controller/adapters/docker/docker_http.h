// HTTP to a container engine, over its unix socket or TCP. Knows how to send, wait and give up;
// nothing of containers.
#pragma once

#include "controller/adapters/http/curl_handles.h"
#include "controller/base/result.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct DockerRequest {
  std::string method = "GET";
  std::string path;                  // From the slash on, percent-encoded, with its query.
  std::string body;                  // JSON; sent with POST alone.
  std::vector<std::string> headers;  // "Name: value"
  std::int64_t deadline_ms = 0;  // For the whole exchange. 0: none, for a stream that `stop` ends.
  std::int64_t silence_ms = 0;   // Give up after so long without a byte; whole seconds. 0: never.
  // Takes the body of a 2xx answer as it comes, instead of DockerAnswer::body.
  std::function<void(std::string_view)> on_bytes;
  const std::atomic<bool>* stop = nullptr;  // Once set, send() returns within a second, as success.
};

struct DockerAnswer {
  int status = 0;  // 0 when `stop` ended the exchange before there was any.
  std::string body;
  std::string api_version;  // The engine's header of that name.
};

// Thread-safe: every exchange takes a connection of its own out of a small pool, where it is kept
// alive.
class DockerHttp {
 public:
  // `unix:///path` or `tcp://host:port`, the latter with TLS when DOCKER_CERT_PATH is set. Any
  // other endpoint makes every send() fail with an error that says so.
  explicit DockerHttp(std::string endpoint);
  ~DockerHttp();
  DockerHttp(const DockerHttp&) = delete;
  DockerHttp& operator=(const DockerHttp&) = delete;

  // Any answer, whatever its status, is a success here. Cause::unreachable when no connection came
  // about, Cause::deadline when the answer was not complete in time; any other error is an answer
  // that broke off.
  Result<DockerAnswer> send(const DockerRequest& request);

  const std::string& endpoint() const { return endpoint_; }

 private:
  struct Exchange;

  void prepare(Exchange& exchange) const;
  void prepare_tls(Exchange& exchange) const;
  Error failure(const Exchange& exchange, int curl_code) const;

  std::string endpoint_;
  std::string socket_path_;  // Empty for TCP.
  std::string base_url_;     // Empty when the endpoint is not understood.
  std::string cert_path_;    // Empty: no TLS.
  bool verify_ = false;
  CurlHandles handles_{8};  // So many are kept idle.
};

}  // namespace rowlock
