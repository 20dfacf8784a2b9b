// One thread accepts, reads a head, and sends what it was told to send.
#include "tests/adapters/http/scripted_server.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <arpa/inet.h>
#include <cstdlib>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace rowlock {

ScriptedServer::ScriptedServer(std::function<std::string(const std::string&)> answer)
    : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  ::unsetenv("http_proxy");  // Of whoever runs the tests.
  ::unsetenv("https_proxy");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  cr_assert_eq(::bind(listener_, generic, size), 0);
  cr_assert_eq(::listen(listener_, 16), 0);
  cr_assert_eq(::getsockname(listener_, generic, &size), 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

ScriptedServer::~ScriptedServer() {
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  for (const int connection : hanging_) ::close(connection);
  ::close(listener_);
}

std::string ScriptedServer::url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

std::string ScriptedServer::host() const { return fmt::format("http://127.0.0.1:{}/…", port_); }

std::vector<std::string> ScriptedServer::heads() {
  const std::lock_guard lock(mutex_);
  return heads_;
}

void ScriptedServer::serve() {
  while (true) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    std::string head;
    char buffer[4096];
    ssize_t count = 1;
    while (count > 0 && head.find("\r\n\r\n") == std::string::npos) {
      count = ::recv(connection, buffer, sizeof buffer, 0);
      if (count > 0) head.append(buffer, static_cast<std::size_t>(count));
    }
    {
      const std::lock_guard lock(mutex_);
      heads_.push_back(head);
    }
    const std::string answer = answer_(head);
    if (answer == kHangs) {
      hanging_.push_back(connection);
      continue;
    }
    (void)!::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
    ::close(connection);
  }
}

std::string with_status(int status, const std::string& headers, const std::string& body) {
  return fmt::format("HTTP/1.1 {} Said\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{}",
                     status, body.size(), headers, body);
}

}  // namespace rowlock
