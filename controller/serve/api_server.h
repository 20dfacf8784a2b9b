// All that Rowlock serves: the interface of the secret store, whether it lives, its metrics; over
// the unix sockets of the home, and over loopback where a row of `api` asks for it.
#pragma once

#include "controller/serve/api_service.h"
#include "controller/serve/http_server.h"
#include "controller/store/home.h"

#include <functional>
#include <string>

namespace rowlock {

class ApiServer {
 public:
  // `changed` and `elsewhere` as in ApiService. Requires: all outlive this; all on the loop thread.
  ApiServer(Loop& loop, Database& state, const Schema& schema, Secrets& secrets, const Clock& clock,
            std::function<void()> changed, ApiService::Elsewhere elsewhere);

  // Opens both doors of the home.
  Result<> begin(const Home& home);

  // Follows the row of `api`. What keeps it from listening is returned once, until that changes.
  Result<> follow_setting();

 private:
  void handle(HttpRequest request, HttpServer::Respond respond);
  HttpResponse ready();
  HttpResponse metrics();

  Database& state_;
  const Schema& schema_;
  const Clock& clock_;
  ApiService service_;
  HttpServer server_;
  std::string listen_;
};

}  // namespace rowlock
