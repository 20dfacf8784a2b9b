// A server on a loop with a thread of its own, and a client that sends bytes as they are.
#pragma once

#include "controller/serve/http_server.h"
#include "tests/store/files.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace rowlock_test {

using rowlock::HttpRequest;
using rowlock::HttpResponse;
using rowlock::HttpServer;

// Answers with 200 and a line on what came in: METHOD PATH SIZE-OF-BODY.
void tell(HttpRequest request, const HttpServer::Respond& respond);

// An answer in plain words.
HttpResponse text(std::string body, int status = 200);

class Served {
 public:
  // Listens at path() from the start.
  explicit Served(HttpServer::Handle handle = &tell, HttpServer::Knows knows = {});
  ~Served();
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  std::string path() const { return folder_ / "socket"; }

  // Called on the loop thread; returns once it is done.
  void on_loop(const std::function<void()>& call);

  // Only on the loop thread.
  rowlock::Loop& loop() { return loop_; }
  HttpServer& server() { return *server_; }
  void destroy_server() { server_.reset(); }

 private:
  rowlock::TempFolder folder_;
  rowlock::Loop loop_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

struct Reply {
  int status = 0;  // 0: the connection ended before a whole answer came.
  std::string head;
  std::string body;
};

// One connection. Every wait ends after ten seconds, as a failed test.
class Client {
 public:
  explicit Client(const std::string& socket_path);
  explicit Client(int port);  // Of 127.0.0.1.
  ~Client();
  Client(Client&& other) noexcept;
  Client& operator=(Client&&) = delete;

  void send(std::string_view bytes) const;
  bool can_send(std::string_view bytes) const;  // False: the server has cut the connection.
  void end_sending() const;

  // The next answer: with the body that its Content-Length says, or none after HEAD.
  Reply receive(bool has_body = true);

  // Whether the server ends the connection, with nothing sent before.
  bool is_closed();

  Reply ask(const std::string& method, const std::string& target, std::string_view body = "");

 private:
  bool receive_more();

  int fd_;
  std::string pending_;  // Received, and not yet part of an answer.
};

std::string request_text(const std::string& method, const std::string& target,
                         std::string_view body = "");

// A port of 127.0.0.1 that nobody listens on just now.
int free_port();

}  // namespace rowlock_test
