// Bytes are passed on as they come, with no understanding of HTTP but for the first line of a
// request, which decides whether it hangs.
#include "tests/live/rowlock/rowlock_stand_in.h"

#include <chrono>
#include <cstring>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace rowlock_live {

namespace {

constexpr int kLookMs = 20;
constexpr std::size_t kPartBytes = 65536;
constexpr std::size_t kUnixPrefix = 7;  // unix://

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

int unix_socket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

// What there is to read; empty at the end.
std::string received(int from) {
  std::string bytes(kPartBytes, '\0');
  const ssize_t count = ::recv(from, bytes.data(), bytes.size(), 0);
  bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return bytes;
}

bool send_all(int to, const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count = ::send(to, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

// Whether the other side has hung up, without reading what it sent.
bool is_closed(int connection) {
  char byte;
  return ::recv(connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

}  // namespace

StandInEngine::StandInEngine(const std::string& folder, const std::string& endpoint)
    : path_(folder + "/stand-in.sock"), engine_path_(endpoint.substr(kUnixPrefix)) {
  listener_ = unix_socket();
  const sockaddr_un address = unix_address(path_);
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 64) != 0)
    throw std::runtime_error("no socket at " + path_);
  acceptor_ = std::thread([this] { accept_all(); });
}

StandInEngine::~StandInEngine() {
  stop_ = true;
  acceptor_.join();
  for (std::thread& server : servers_) server.join();
  ::close(listener_);
}

void StandInEngine::hang_on(const std::string& part) {
  const std::lock_guard<std::mutex> lock(mutex_);
  part_ = part;
}

void StandInEngine::accept_all() {
  while (!stop_) {
    pollfd wait{listener_, POLLIN, 0};
    if (::poll(&wait, 1, kLookMs) <= 0) continue;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) servers_.emplace_back([this, client] { serve(client); });
  }
}

// A client sends a request at once and the next after the answer, so that what is received begins
// with a first line or goes on with a body.
bool StandInEngine::hangs(const std::string& bytes) {
  if (hangs_altogether_) return true;
  const std::lock_guard<std::mutex> lock(mutex_);
  return !part_.empty() && bytes.substr(0, bytes.find('\r')).find(part_) != std::string::npos;
}

void StandInEngine::serve(int client) {
  const int engine = unix_socket();
  const sockaddr_un address = unix_address(engine_path_);
  bool is_open =
      ::connect(engine, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  while (is_open && !stop_) {
    pollfd waits[] = {{client, POLLIN, 0}, {engine, POLLIN, 0}};
    if (::poll(waits, 2, kLookMs) <= 0) continue;
    for (int from = 0; from < 2 && is_open; ++from) {
      if (waits[from].revents == 0) continue;
      const std::string bytes = received(waits[from].fd);
      bool is_waiting = false;
      while ((from == 0 ? hangs(bytes) : hangs_altogether_.load()) && !stop_ && is_open) {
        if (!is_waiting) ++hung_;
        is_waiting = true;
        is_open = !is_closed(client);
        std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
      }
      hung_ -= is_waiting ? 1 : 0;
      is_open = is_open && !bytes.empty() && send_all(waits[1 - from].fd, bytes);
    }
  }
  ::close(client);
  ::close(engine);
}

}  // namespace rowlock_live
