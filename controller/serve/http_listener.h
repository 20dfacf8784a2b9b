// One listening socket and the connections that came through it: a daemon of libmicrohttpd without
// a thread, driven by the loop. Private to this folder.
//
// libmicrohttpd calls in for every piece of a request. When it is complete, the handler is called.
// If that does not answer at once, the connection is suspended: libmicrohttpd forgets its
// descriptor until it is resumed with the answer, so a client that goes away meanwhile is noticed
// only then.
#pragma once

#include "controller/base/result.h"
#include "controller/loop/loop.h"
#include "controller/serve/http_connections.h"
#include "controller/serve/http_server.h"
#include "controller/serve/listening_socket.h"

#include <memory>
#include <unordered_map>

struct MHD_Connection;
struct MHD_Daemon;

namespace rowlock {

// A request, from its first byte until its answer was sent or its client is gone.
class HttpExchange;

class HttpListener : public std::enable_shared_from_this<HttpListener> {
 public:
  // Requires: the loop outlives this. To be owned by a shared_ptr, and ended before it is let go.
  HttpListener(Loop& loop, ListeningSocket socket, Door door,
               std::shared_ptr<const HttpServer::Handle> handle,
               std::shared_ptr<const HttpServer::Knows> knows);
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  Result<> start();

  // Accepts no more, and cuts the connections there are; answers that come later go nowhere. From
  // inside the handler: as soon as that has returned, with its answer sent as far as it is there.
  void end();

 private:
  // What libmicrohttpd calls.
  struct Entry;

  void run();
  void run_again_when_due();
  void run_soon();
  void stop();
  void take_connection(MHD_Connection& connection);
  void lose_connection(MHD_Connection& connection);
  void look_at_connections();

  HttpExchange* known(const void* request) const;
  HttpExchange& begin(MHD_Connection& connection, const char* path, const char* method);
  bool complete(HttpExchange& exchange);
  void hand_over(HttpExchange& exchange);
  void answer(HttpExchange& exchange, HttpResponse response);

  Loop& loop_;
  ListeningSocket socket_;
  Door door_;
  std::shared_ptr<const HttpServer::Handle> handle_;
  std::shared_ptr<const HttpServer::Knows> knows_;
  MHD_Daemon* daemon_ = nullptr;
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<Timer> look_timer_;  // As long as there are connections.
  HttpConnections connections_;
  std::unordered_map<const void*, std::shared_ptr<HttpExchange>> exchanges_;  // By address.
  bool runs_ = false;       // Inside MHD_run(), which must not be entered twice.
  bool run_asked_ = false;  // Posted to the loop.
  bool ended_ = false;
};

}  // namespace rowlock
