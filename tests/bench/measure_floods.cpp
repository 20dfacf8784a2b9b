// Strangers over loopback: bodies of a megabyte to where no token is needed, logins that are none,
// heads that never end. Meanwhile one caller with a token reads a secret, and the operator's socket
// is asked whether the loop lives, each on a connection of its own. The flood's own work is done at
// a low priority, or on a small machine it would be what is measured.
#include "controller/adapters/http/socket_client.h"
#include "tests/bench/bare_engine.h"
#include "tests/bench/measures.h"
#include "tests/bench/secret_service.h"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <atomic>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace rowlock::bench {

namespace {

const double kEachMs = sized(60'000, 1000);
constexpr std::int64_t kAskMs = 30'000;
constexpr int kLowPriority = 15;

// A connection over loopback; every wait on it ends after a while.
class Wire {
 public:
  explicit Wire(int port) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{30, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_open_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Wire() { close(fd_); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  bool send_all(const std::string& bytes) {
    for (std::size_t sent = 0; is_open_ && sent < bytes.size();) {
      const ssize_t part = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      is_open_ = part > 0;
      sent += is_open_ ? static_cast<std::size_t>(part) : 0;
    }
    return is_open_;
  }
  std::string receive_all() {
    std::string all;
    char bytes[4096];
    for (ssize_t got = 0; is_open_ && (got = recv(fd_, bytes, sizeof bytes, 0)) > 0;)
      all.append(bytes, static_cast<std::size_t>(got));
    return all;
  }
  // Whether the other end has closed; looks without waiting.
  bool is_cut() const {
    char byte = 0;
    return !is_open_ || recv(fd_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }

 private:
  int fd_;
  bool is_open_ = false;
};

std::string request(const std::string& line, const std::string& headers, const std::string& body) {
  return fmt::format("{} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{}Content-Length: {}\r\n\r\n",
                     line, headers, body.size()) +
         body;
}

// As many small values as fit.
std::string costly_body(std::size_t size) {
  std::string body = R"({"a":[1)";
  while (body.size() + 4 < size) body += ",1";
  return body + "]}";
}

struct FloodKind {
  const char* what;
  int connections;
  std::string bytes;
  bool is_whole;  // Else the connection is kept with what was sent, and a byte now and then.
};

std::vector<FloodKind> kinds_of_floods() {
  const std::string odd_token = "X-Vault-Token: rlk." + std::string(43, 'A') + "\r\n";
  return {{"megabytes to unwrap", 60,
           request("POST /v1/sys/wrapping/unwrap", odd_token, costly_body(1024 * 1024)), true},
          {"logins that are none", 60,
           request("POST /v1/auth/jwt/login", "", costly_body(32 * 1024)), true},
          {"heads that never end", 300, "GET /v1/sys/health HTTP/1.1\r\nHost: h\r\nX-A: ", false}};
}

class Flood {
 public:
  Flood(const FloodKind& kind, int port) {
    for (int i = 0; i < kind.connections; ++i)
      threads_.emplace_back([this, &kind, port] { send_on(kind, port); });
  }
  ~Flood() {
    is_over_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  long sent() const { return sent_; }

 private:
  void send_on(const FloodKind& kind, int port) {
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kLowPriority);
    while (!is_over_) {
      Wire wire(port);
      if (!wire.send_all(kind.bytes)) continue;
      ++sent_;
      if (kind.is_whole) {
        (void)wire.receive_all();
        continue;
      }
      for (int i = 0; !is_over_ && !wire.is_cut(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        if (i % 10 == 9 && !wire.send_all("a")) break;
      }
    }
  }

  std::atomic<bool> is_over_ = false;
  std::atomic<long> sent_ = 0;
  std::vector<std::thread> threads_;
};

struct Fared {
  Samples loop;
  Samples reads;
  long failed = 0;
};

Fared fare(const SecretService& service) {
  Fared fared;
  const Moment from = now();
  const std::string read =
      request("GET /v1/secret/data/app/db", "X-Vault-Token: " + service.token() + "\r\n", "");
  std::thread asks_loop([&] {
    while (ms_between(from, now()) < kEachMs) {
      const Moment begun = now();
      const auto lives = ask(service.folder() + "/rowlock.sock", "GET", "/livez", "", {}, kAskMs);
      if (!lives.ok()) give_up("the loop does not live: " + lives.error().message);
      fared.loop.add(ms_between(begun, now()));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  while (ms_between(from, now()) < kEachMs) {
    const Moment begun = now();
    Wire wire(service.port());
    (void)wire.send_all(read);
    const bool is_answered = wire.receive_all().starts_with("HTTP/1.1 200");
    fared.failed += is_answered ? 0 : 1;
    fared.reads.add(ms_between(begun, now()));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  asks_loop.join();
  return fared;
}

}  // namespace

std::vector<Figure> measure_floods() {
  SecretService service;
  const Fared quiet = fare(service);
  const double quiet_loop_ms = quiet.loop.quantile(0.99);
  std::vector<Figure> figures;
  for (const FloodKind& kind : kinds_of_floods()) {
    const Flood flood(kind, service.port());
    const Fared fared = fare(service);
    const double loop_ms = fared.loop.quantile(0.99);
    figures.push_back({fmt::format("loop's p99 under {}, per quiet", kind.what),
                       fmt::format("{:.2f} ×", loop_ms / quiet_loop_ms), "1.5 ×",
                       loop_ms <= 1.5 * quiet_loop_ms && loop_ms <= 20,
                       fmt::format("p99 {:.1f} ms beside {:.1f}, worst {:.1f}; {} sent", loop_ms,
                                   quiet_loop_ms, fared.loop.quantile(1), flood.sent())});
    figures.push_back(
        {fmt::format("an honest read's p99 under {}", kind.what),
         fmt::format("{:.1f} ms", fared.reads.quantile(0.99)), "", fared.failed == 0,
         fmt::format("beside {:.1f}, worst {:.1f}; {} of {} failed", quiet.reads.quantile(0.99),
                     fared.reads.quantile(1), fared.failed, fared.reads.size())});
  }
  return figures;
}

}  // namespace rowlock::bench
