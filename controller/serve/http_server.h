// Serving HTTP on the loop: over unix sockets of this machine and, if asked, over loopback. By
// libmicrohttpd, whose only includer this folder is. Everything happens on the loop thread.
#pragma once

#include "controller/base/result.h"
#include "controller/loop/loop.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

// Through which socket a request came.
enum class Door {
  operators,  // HOME/rowlock.sock: the user counts.
  programs,   // HOME/api/api.sock: whoever asks, only a token counts.
  loopback
};

struct HttpRequest {
  std::string method;  // GET, LIST …
  std::string path;    // Decoded, without the query.
  std::vector<std::pair<std::string, std::string>> query;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  Door door = Door::loopback;
  // Only at the operators' door: the user behind its other end, as the kernel knows it; absent when
  // that is in a container.
  std::optional<std::int64_t> user;

  // Stands at the operators' door or shows a token, of which nothing is said; else a stranger.
  bool may_be_known() const;

  std::string header(std::string_view name) const;  // Any case; "" when absent.
  std::string parameter(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

class HttpServer {
 public:
  using Respond = std::function<void(HttpResponse)>;
  // Answers by calling `respond` once, now or later, on the loop thread; after the client, the
  // listener or the server is gone it does nothing. Dropped without a call it answers with 500.
  using Handle = std::function<void(HttpRequest request, Respond respond)>;

  static constexpr std::size_t kBodyMax = 1024 * 1024;  // A larger one is answered with 413.
  // The same for who shows no good token, and is not at the operators' door: the longest login.
  static constexpr std::size_t kStrangerBodyMax = 32 * 1024;
  static constexpr unsigned kConnectionsMax = 256;
  static constexpr unsigned kIdleTimeoutS = 60;

  // Whether the token that a head shows is one; asked for large bodies alone.
  using Knows = std::function<bool(const HttpRequest& head)>;

  // `handle` may call on this server, and may destroy it. Without `knows` any token is taken for
  // one. Requires: the loop outlives this.
  HttpServer(Loop& loop, Handle handle, Knows knows = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // A unix socket of mode 0660 at `path`, gone again with the server. A socket that nobody serves
  // any more is replaced; anything else that stands there is rejected, and so is a path of more
  // than 107 bytes. Requires: none was opened before.
  Result<> listen_on_socket(const std::string& path);

  // The same at the programs' door, of mode 0666: who may come there is told by the folder.
  Result<> listen_for_programs(const std::string& path);

  // ADDRESS:PORT of loopback (127.0.0.0/8, or ::1 as [::1]:PORT); anything else is rejected.
  // Another address takes the place of the one before, whose connections are cut; "" ends it. After
  // an error the one before still serves.
  Result<> listen_on_loopback(const std::string& address);

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace rowlock
