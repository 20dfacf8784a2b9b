// A thread for each connection, and the request comes back in the body: so a test sees what reached
// the server after the proxy had its hand on it.
#include "tests/live/haproxy/web_server.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <chrono>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace rowlock {

namespace {

constexpr auto kPatience = std::chrono::seconds(10);

std::pair<int, int> listening() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  cr_assert(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  cr_assert(::listen(fd, 64) == 0);
  cr_assert(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return {fd, ntohs(address.sin_port)};
}

std::string head_of_request(int connection) {
  std::string request;
  char buffer[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = ::recv(connection, buffer, sizeof buffer, 0);
    if (count <= 0) return "";
    request.append(buffer, static_cast<std::size_t>(count));
  }
  return request;
}

}  // namespace

WebServer::WebServer(std::string name) : name_(std::move(name)) {
  std::tie(listener_, port_) = listening();
  thread_ = std::thread([this] { serve(); });
}

WebServer::~WebServer() {
  let_go();
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int connection : open_) ::shutdown(connection, SHUT_RDWR);
  }
  for (std::thread& each : answering_) each.join();
  for (const int connection : open_) ::close(connection);
  ::close(listener_);
}

void WebServer::wait_until_held(int count) {
  std::unique_lock lock(mutex_);
  cr_assert(changed_.wait_for(lock, kPatience, [&] { return held_ >= count; }),
            "%s holds %d requests", name_.c_str(), held_);
}

int WebServer::dropped() {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void WebServer::let_go() {
  const std::lock_guard lock(mutex_);
  holds_ = false;
  changed_.notify_all();
}

void WebServer::serve() {
  while (true) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    const std::lock_guard lock(mutex_);
    open_.push_back(connection);
    answering_.emplace_back([this, connection] { answer(connection); });
  }
}

// The body is the name, then the request as it came.
void WebServer::answer(int connection) {
  std::string request = head_of_request(connection);
  const std::string line = request.substr(0, request.find('\r'));
  if (line.find("drop") != std::string::npos) {
    const std::lock_guard lock(mutex_);
    ++dropped_;
    request.clear();
  }
  if (line.find("slow") != std::string::npos) {
    std::unique_lock lock(mutex_);
    ++held_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !holds_; });
    --held_;
  }
  const std::string body = name_ + "\n" + request;
  const std::string answer =
      "HTTP/1.1 200 OK\r\nServer: tiny\r\nConnection: close\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  if (!request.empty()) (void)!::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
  ::shutdown(connection, SHUT_RDWR);
}

int free_port() {
  const auto [fd, port] = listening();
  ::close(fd);
  return port;
}

}  // namespace rowlock
