// One connection for one exchange, without libcurl: HAProxy closes when it has said all, and that
// end is the only sign that the answer is whole.
#include "controller/adapters/haproxy/haproxy_socket.h"

#include "controller/base/own_trouble.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace rowlock {

namespace {

constexpr std::size_t kAnswerBytesMax = 64 * 1024 * 1024;  // A server takes about 200 bytes.
constexpr auto kConnectAgainAfter = std::chrono::milliseconds(2);

using Moment = std::chrono::steady_clock::time_point;

// One connection and its deadline.
class Connection {
 public:
  Connection(const std::string& path, Moment until) : path_(path), until_(until) {}
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<> open();
  Result<> send(std::string_view text);
  Result<std::string> receive();

 private:
  bool wait_for(short events) const;
  std::int64_t left_ms() const;
  Error unreachable() const;
  Error too_late() const;
  Error broke_off() const;

  const std::string& path_;
  Moment until_;
  int fd_ = -1;
};

std::int64_t Connection::left_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(until_ -
                                                               std::chrono::steady_clock::now())
      .count();
}

// False when the deadline has come.
bool Connection::wait_for(short events) const {
  while (true) {
    const std::int64_t left = left_ms();
    // After its time as well: what has come while this process was not let run is there.
    const auto wait_ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
    pollfd wanted{fd_, events, 0};
    const int count = ::poll(&wanted, 1, wait_ms);
    if (count > 0) return true;
    if (left <= 0 || (count < 0 && errno != EINTR)) return false;
  }
}

Error Connection::unreachable() const {
  if (is_own_trouble(errno)) return own_trouble("connect to the proxy at " + path_, errno);
  return Error{Fault::transient, Cause::unreachable,
               "the proxy at " + path_ + " does not answer: " + std::strerror(errno), ""};
}

Error Connection::too_late() const {
  return Error{Fault::transient, Cause::deadline,
               "the proxy at " + path_ + " did not answer in time", ""};
}

Error Connection::broke_off() const {
  return Error{Fault::transient, Cause::other,
               "the connection to the proxy at " + path_ + " broke: " + std::strerror(errno), ""};
}

Result<> Connection::open() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) {
    return Error{Fault::rejected, Cause::other,
                 "the path of the proxy's socket has more than " +
                     std::to_string(sizeof address.sun_path - 1) + " bytes: " + path_,
                 "choose a shorter one"};
  }
  std::memcpy(address.sun_path, path_.c_str(), path_.size());
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0 && is_own_trouble(errno)) {
    return own_trouble("connect to the proxy at " + path_, errno);
  }
  if (fd_ < 0) {
    return Error{Fault::broken, Cause::other, std::string("open a socket: ") + std::strerror(errno),
                 ""};
  }
  // A full queue of connections says EAGAIN, and there is nothing to poll for then.
  while (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return unreachable();
    if (left_ms() <= 0) return too_late();
    std::this_thread::sleep_for(kConnectAgainAfter);
  }
  return Done{};
}

Result<> Connection::send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    if (count > 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (!wait_for(POLLOUT)) return too_late();
    } else if (errno != EINTR) {
      return broke_off();
    }
  }
  ::shutdown(fd_, SHUT_WR);  // A master goes on waiting for commands otherwise.
  return Done{};
}

Result<std::string> Connection::receive() {
  std::string answer;
  std::vector<char> buffer(64 * 1024);
  while (true) {
    const ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (count == 0) return answer;
    if (count > 0) {
      answer.append(buffer.data(), static_cast<std::size_t>(count));
      if (answer.size() > kAnswerBytesMax) {
        return Error{Fault::broken, Cause::other,
                     "the proxy at " + path_ + " answers without an end", ""};
      }
    } else if (errno == EAGAIN) {
      if (!wait_for(POLLIN)) return too_late();
    } else if (errno != EINTR) {
      return broke_off();
    }
  }
}

}  // namespace

Result<std::string> exchange(const std::string& socket, const std::string& text,
                             std::int64_t deadline_ms) {
  Connection connection(socket,
                        std::chrono::steady_clock::now() + std::chrono::milliseconds(deadline_ms));
  TRY(connection.open());
  TRY(connection.send(text + "\n"));
  return connection.receive();
}

}  // namespace rowlock
