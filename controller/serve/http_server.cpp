// Three listeners at most, one for each door. Another loopback address is opened
// before the old one ends, so that a wrong one changes nothing.
#include "controller/serve/http_server.h"

#include "controller/base/check.h"
#include "controller/serve/http_listener.h"
#include "controller/serve/listening_socket.h"

#include <strings.h>

namespace rowlock {

// ---- Requests -----------------------------------------------------------------------------------

bool HttpRequest::may_be_known() const {
  return door == Door::operators || !header("X-Vault-Token").empty() ||
         !header("Authorization").empty();
}

std::string HttpRequest::header(std::string_view name) const {
  const std::string wanted(name);
  for (const auto& [key, value] : headers) {
    if (::strcasecmp(key.c_str(), wanted.c_str()) == 0) return value;
  }
  return "";
}

std::string HttpRequest::parameter(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return "";
}

// ---- The server ---------------------------------------------------------------------------------

struct HttpServer::Inside {
  Loop& loop;
  std::shared_ptr<const Handle> handle;
  std::shared_ptr<const Knows> knows;
  std::shared_ptr<HttpListener> local;
  std::shared_ptr<HttpListener> programs;
  std::shared_ptr<HttpListener> loopback;
  std::string loopback_address;

  Result<std::shared_ptr<HttpListener>> serve(ListeningSocket socket, Door door) const {
    auto listener = std::make_shared<HttpListener>(loop, std::move(socket), door, handle, knows);
    TRY(listener->start());
    return listener;
  }
};

HttpServer::HttpServer(Loop& loop, Handle handle, Knows knows)
    : inside_(std::make_unique<Inside>(Inside{
          loop, std::make_shared<const Handle>(std::move(handle)),
          std::make_shared<const Knows>(std::move(knows)), nullptr, nullptr, nullptr, ""})) {}

HttpServer::~HttpServer() {
  if (inside_->local) inside_->local->end();
  if (inside_->programs) inside_->programs->end();
  if (inside_->loopback) inside_->loopback->end();
}

Result<> HttpServer::listen_on_socket(const std::string& path) {
  CHECK(inside_->local == nullptr);
  auto socket = TRY(ListeningSocket::at_path(path, 0660));
  inside_->local = TRY(inside_->serve(std::move(socket), Door::operators));
  return Done{};
}

Result<> HttpServer::listen_for_programs(const std::string& path) {
  CHECK(inside_->programs == nullptr);
  auto socket = TRY(ListeningSocket::at_path(path, 0666));
  inside_->programs = TRY(inside_->serve(std::move(socket), Door::programs));
  return Done{};
}

Result<> HttpServer::listen_on_loopback(const std::string& address) {
  if (address == inside_->loopback_address) return Done{};
  std::shared_ptr<HttpListener> next;
  if (!address.empty()) {
    auto socket = TRY(ListeningSocket::on_loopback(address));
    next = TRY(inside_->serve(std::move(socket), Door::loopback));
  }
  if (inside_->loopback) inside_->loopback->end();
  inside_->loopback = std::move(next);
  inside_->loopback_address = address;
  return Done{};
}

}  // namespace rowlock
