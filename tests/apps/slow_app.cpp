// The web server behind the routes of the live tests and the bench, in a container: it is not ready
// for a while after its start, then every request takes a while, and a signal ends it at once, with
// whatever is under way. A proxy that sends it a request too early or too late fails that request.
//
//   slow_app PORT START_MS REQUEST_MS WORD
//
// It takes connections from the start; until START_MS have gone by every answer is 503. GET /ready
// answers without delay. Each answer carries in headers who it is (WORD and the process's start)
// and, in milliseconds since the epoch, when it first said that it is ready and when the first
// other request came.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr int kEventsMax = 256;
constexpr std::size_t kRequestMax = 64 * 1024;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

struct Due {
  std::int64_t at_ms;
  int fd;
  std::uint64_t connection;  // Descriptors are used again.
  bool closes;
};

class SlowApp {
 public:
  SlowApp(int port, std::int64_t start_ms, std::int64_t request_ms, std::string word)
      : started_at_ms_(now_ms()), start_ms_(start_ms), request_ms_(request_ms), word_(word) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 1024) != 0) {
      std::perror("slow_app: bind");
      std::exit(1);
    }
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    watch(listener_);
  }

  [[noreturn]] void run() {
    while (true) {
      epoll_event events[kEventsMax];
      const int wait_ms =
          due_.empty() ? -1
                       : static_cast<int>(std::max<std::int64_t>(0, due_.front().at_ms - now_ms()));
      const int count = epoll_wait(epoll_, events, kEventsMax, wait_ms);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.fd == listener_) {
          accept_all();
        } else {
          read_from(events[i].data.fd);
        }
      }
      while (!due_.empty() && due_.front().at_ms <= now_ms()) {
        const Due due = due_.front();
        due_.pop_front();
        const auto found = connections_.find(due.fd);
        if (found != connections_.end() && found->second.number == due.connection) {
          answer(due.fd, "200 OK", due.closes);
        }
      }
    }
  }

 private:
  struct Connection {
    std::uint64_t number;
    std::string text;
  };

  void watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void accept_all() {
    while (true) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int yes = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      connections_[fd] = {++numbered_, ""};
      watch(fd);
    }
  }

  void drop(int fd) {
    connections_.erase(fd);
    close(fd);
  }

  void read_from(int fd) {
    Connection& connection = connections_[fd];
    char bytes[8192];
    while (true) {
      const ssize_t got = read(fd, bytes, sizeof bytes);
      if (got > 0) {
        connection.text.append(bytes, static_cast<std::size_t>(got));
        continue;
      }
      if (got < 0 && errno == EAGAIN) break;
      return drop(fd);
    }
    if (connection.text.size() > kRequestMax) return drop(fd);
    const std::size_t end = connection.text.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string request = connection.text.substr(0, end + 4);
    connection.text.erase(0, end + 4);  // No bodies: those who ask send GET.
    take(fd, connection.number, request);
  }

  void take(int fd, std::uint64_t connection, const std::string& request) {
    const bool closes = strcasestr(request.c_str(), "\r\nConnection: close") != nullptr ||
                        request.find(" HTTP/1.0\r\n") != std::string::npos;
    const std::int64_t now = now_ms();
    if (now < started_at_ms_ + start_ms_) return answer(fd, "503 Service Unavailable", closes);
    if (request.find(" /ready ") != std::string::npos) {
      if (ready_at_ms_ == 0) ready_at_ms_ = now;
      return answer(fd, "200 OK", closes);
    }
    if (first_at_ms_ == 0) first_at_ms_ = now;
    due_.push_back({now + request_ms_, fd, connection, closes});
  }

  void answer(int fd, const char* status, bool closes) {
    char head[512];
    const int size = std::snprintf(
        head, sizeof head,
        "HTTP/1.1 %s\r\nContent-Length: %zu\r\nX-App: %s-%lld\r\nX-Ready-At: "
        "%lld\r\nX-First-At: %lld\r\n%s\r\n%s\n",
        status, word_.size() + 1, word_.c_str(), static_cast<long long>(started_at_ms_),
        static_cast<long long>(ready_at_ms_), static_cast<long long>(first_at_ms_),
        closes ? "Connection: close\r\n" : "", word_.c_str());
    const bool sent = write(fd, head, static_cast<std::size_t>(size)) == size;
    if (!sent || closes) drop(fd);
  }

  std::int64_t started_at_ms_;
  std::int64_t start_ms_;
  std::int64_t request_ms_;
  std::string word_;
  std::int64_t ready_at_ms_ = 0;
  std::int64_t first_at_ms_ = 0;
  int listener_ = -1;
  int epoll_ = -1;
  std::uint64_t numbered_ = 0;
  std::map<int, Connection> connections_;
  std::deque<Due> due_;  // All wait equally long, so they end in the order in which they came.
};

}  // namespace

int main(int count, char** words) {
  if (count != 5) {
    std::fprintf(stderr, "usage: slow_app PORT START_MS REQUEST_MS WORD\n");
    return 64;
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, [](int) { _exit(0); });  // As process 1 it heeds only what it handles.
  SlowApp(std::atoi(words[1]), std::atoll(words[2]), std::atoll(words[3]), words[4]).run();
}
