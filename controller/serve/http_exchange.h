// A request as it comes in, piece by piece, and its answer until that was sent. Knows of
// libmicrohttpd how to read from and write to one connection; nothing of loops. Private to this
// folder.
#pragma once

#include "controller/serve/http_connections.h"
#include "controller/serve/http_server.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

struct MHD_Connection;

namespace rowlock {

class HttpExchange {
 public:
  // More than this of a body that is too large is not waited for: the connection is cut.
  static constexpr std::size_t kDiscardMax = 16 * HttpServer::kBodyMax;

  // Reads the head of the request. `path` and the query are as the client sent them. Requires:
  // `all` and `knows` outlive this.
  HttpExchange(MHD_Connection& connection, HttpConnections& all, const HttpServer::Knows& knows,
               Door door, const char* method, const char* path);
  // Overwrites both bodies.
  ~HttpExchange();
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  // A body that is too large is read to its end all the same, since many clients look for an answer
  // only then. Not if the client asks first, or would send more than kDiscardMax; and where a head
  // leaves open where its body ends, nothing after it is read at all.
  bool answers_before_the_body() const;

  // False when the connection must be cut.
  bool take(std::string_view piece);

  // The request as a whole. Once.
  HttpRequest take_request();

  // The first answer stands; further ones are dropped.
  void set_answer(HttpResponse response);
  void set_refusal(int status, const std::string& sentence);
  bool is_answered() const { return answer_.has_value(); }

  // Gives the answer to libmicrohttpd, which reads its body until the exchange is over. False when
  // the connection must be cut.
  bool send_answer();

  MHD_Connection& connection() const { return connection_; }

  bool is_handed_over = false;  // The handler has been called.
  bool is_suspended = false;    // Until it answers.

 private:
  void check_framing();
  void read_path(const char* path);
  void read_query();
  void read_length();
  void refuse_body();
  void drop_body();

  bool may_send(std::size_t size);

  MHD_Connection& connection_;
  HttpConnections& all_;
  const HttpServer::Knows& knows_;
  HttpRequest request_;
  std::optional<bool> is_known_;  // Whether it may send a large body: found out when it does.
  std::size_t kept_ = 0;          // Of all_.
  std::optional<HttpResponse> answer_;
  bool is_ambiguous_ = false;  // Another could read the same bytes as other requests.
  std::size_t declared_ = 0;   // Content-Length; 0 without one.
  std::size_t discarded_ = 0;  // Bytes of a body that is too large.
};

}  // namespace rowlock
