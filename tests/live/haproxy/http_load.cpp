// Plain sockets and one connection a request: a client that keeps connections would hide the
// requests that a proxy turned away.
#include "tests/live/haproxy/http_load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace rowlock_live {

namespace {

constexpr int kPatienceOfOneS = 10;

}  // namespace

std::string http_status(const std::string& address, int port, const std::string& host) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{kPatienceOfOneS, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  std::string answer;
  const bool is_connected = ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  if (is_connected) {
    const std::string request = "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
    (void)!::write(fd, request.data(), request.size());
    char bytes[4096];
    for (ssize_t got = 0; (got = ::read(fd, bytes, sizeof bytes)) > 0;) {
      answer.append(bytes, static_cast<std::size_t>(got));
    }
  }
  ::close(fd);
  if (!is_connected) return "no connection";
  return answer.size() < 12 ? "no answer" : answer.substr(9, 3);
}

HttpLoad::HttpLoad(const std::string& address, int port, const std::string& host, int clients) {
  for (int i = 0; i < clients; ++i) {
    clients_.emplace_back([this, address, port, host] {
      while (!stop_) {
        const std::string status = http_status(address, port, host);
        ++requests_;
        if (status == "200") continue;
        const std::lock_guard lock(mutex_);
        if (failed_++ == 0) first_failure_ = status;
      }
    });
  }
}

void HttpLoad::stop() {
  stop_ = true;
  for (std::thread& client : clients_) {
    if (client.joinable()) client.join();
  }
}

std::string HttpLoad::first_failure() const {
  const std::lock_guard lock(mutex_);
  return first_failure_;
}

}  // namespace rowlock_live
