// How a socket comes to its place. The unix one is made under another name and renamed once it has
// its mode and accepts: a client that finds it can use it, and nobody finds it with other rights.
#include "controller/serve/listening_socket.h"

#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <netinet/in.h>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace rowlock {

namespace {

constexpr int kBacklog = 512;  // Clients that wait while all connections are taken.

Error rejected(std::string message, std::string hint) {
  return Error{Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

// ---- Unix ---------------------------------------------------------------------------------------

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

Error failed_at(const std::string& path, const char* hint = "") {
  return rejected("serve at " + path + ": " + std::strerror(errno), hint);
}

// As long as the path itself, so that what holds for one holds for the other.
std::string temporary_name(const std::string& path) {
  std::string name = path;
  name.back() = name.back() == '~' ? '_' : '~';
  return name;
}

Result<> check_path(const std::string& path) {
  if (path.empty() || path.back() == '/' || path.find('\0') != std::string::npos) {
    return rejected("serve at '" + path + "': this is not the path of a socket",
                    "name a file in a folder that is there");
  }
  if (path.size() > ListeningSocket::kPathMax) {
    return rejected("serve at " + path + ": the path has " + std::to_string(path.size()) +
                        " bytes, and that of a unix socket at most " +
                        std::to_string(ListeningSocket::kPathMax),
                    "choose a shorter one, such as /run/rowlock.sock");
  }
  return Done{};
}

// What connect() says to a client at `path`; 0: somebody accepts.
int answer_of(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const sockaddr_un address = address_of(path);
  const bool connected =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int answer = connected ? 0 : errno;
  ::close(fd);
  return answer;
}

// Whether a new socket may take this place: there is nothing, or a socket that nobody serves.
Result<> check_place(const std::string& path) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) {
    if (errno == ENOENT) return Done{};
    return failed_at(path, "make the folder, or let Rowlock's user into it");
  }
  if (!S_ISSOCK(there.st_mode)) {
    return rejected("serve at " + path + ": something that is not a socket stands there",
                    "move it away, or serve at another path");
  }
  const int answer = answer_of(path);
  if (answer == ECONNREFUSED || answer == ENOENT) return Done{};
  if (answer == 0 || answer == EAGAIN) {
    return rejected("serve at " + path + ": another program serves there",
                    "stop it (`ss -xlp` names it), or serve at another path");
  }
  return rejected("serve at " + path +
                      ": a socket stands there, and whether it is in use cannot be found out: " +
                      std::strerror(answer),
                  "remove it if nobody needs it");
}

// Nothing but a socket is removed: it is left over from a start that did not come to its end.
Result<> clear_temporary(const std::string& path) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) return Done{};  // bind() tells what else is wrong.
  if (!S_ISSOCK(there.st_mode)) {
    return rejected("serve beside " + path + ": it stands where the new socket is made",
                    "move it away");
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed_at(path, "remove it");
  return Done{};
}

// Bound, accepting, and with its mode. The mode is given to the descriptor as well: bind() makes
// the file with it, less the umask, so that not even under this name more is allowed for a moment.
bool is_made(int fd, const std::string& temporary, mode_t mode) {
  const sockaddr_un address = address_of(temporary);
  return ::fchmod(fd, mode) == 0 &&
         ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         ::chmod(temporary.c_str(), mode) == 0 && ::listen(fd, kBacklog) == 0;
}

// ---- Loopback -----------------------------------------------------------------------------------

struct Endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;
};

std::optional<std::uint16_t> port_of(std::string_view digits) {
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, failure] = std::from_chars(digits.data(), end, port);
  if (failure != std::errc() || stop != end || port == 0) return std::nullopt;
  return port;
}

std::optional<Endpoint> loopback_of(const std::string& host, std::uint16_t port) {
  Endpoint endpoint;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    auto* address = reinterpret_cast<sockaddr_in6*>(&endpoint.address);
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(port);
    endpoint.length = sizeof *address;
    const std::string inner = host.substr(1, host.size() - 2);
    if (::inet_pton(AF_INET6, inner.c_str(), &address->sin6_addr) != 1) return std::nullopt;
    if (!IN6_IS_ADDR_LOOPBACK(&address->sin6_addr)) return std::nullopt;
    return endpoint;
  }
  auto* address = reinterpret_cast<sockaddr_in*>(&endpoint.address);
  address->sin_family = AF_INET;
  address->sin_port = htons(port);
  endpoint.length = sizeof *address;
  if (::inet_pton(AF_INET, host.c_str(), &address->sin_addr) != 1) return std::nullopt;
  if ((ntohl(address->sin_addr.s_addr) >> 24) != IN_LOOPBACKNET) return std::nullopt;
  return endpoint;
}

Error not_served_on(const std::string& address) {
  const bool may_pass = errno == EADDRINUSE;
  return Error{may_pass ? Fault::transient : Fault::rejected, Cause::other,
               "serve on " + address + ": " + std::strerror(errno),
               may_pass ? "stop the program that holds the port (`ss -tlnp` names it), or choose "
                          "another port"
                        : "choose another address or port"};
}

}  // namespace

Result<ListeningSocket> ListeningSocket::at_path(const std::string& path, mode_t mode) {
  TRY(check_path(path));
  TRY(check_place(path));
  const std::string temporary = temporary_name(path);
  TRY(clear_temporary(temporary));

  ListeningSocket made(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (made.fd_ < 0) return failed_at(path);
  struct stat there {};
  if (!is_made(made.fd_, temporary, mode) || ::lstat(temporary.c_str(), &there) != 0 ||
      ::rename(temporary.c_str(), path.c_str()) != 0) {
    Error error = failed_at(path, "make the folder, or let Rowlock's user write into it");
    ::unlink(temporary.c_str());
    return error;
  }
  made.path_ = path;
  made.inode_ = there.st_ino;
  return made;
}

Result<ListeningSocket> ListeningSocket::on_loopback(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const std::string host = address.substr(0, colon);
  const std::optional<std::uint16_t> port =
      colon == std::string::npos ? std::nullopt
                                 : port_of(std::string_view(address).substr(colon + 1));
  const std::optional<Endpoint> endpoint = port ? loopback_of(host, *port) : std::nullopt;
  if (!endpoint) {
    return rejected("serve on '" + address + "': this is not an address and port of loopback",
                    "write it as 127.0.0.1:PORT or [::1]:PORT; what comes from elsewhere must pass "
                    "a proxy that encrypts");
  }

  ListeningSocket made(
      ::socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (made.fd_ < 0) return not_served_on(address);
  const int on = 1;  // Or connections of the last run, long closed, keep the port for a minute.
  ::setsockopt(made.fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(made.fd_, reinterpret_cast<const sockaddr*>(&endpoint->address), endpoint->length) !=
          0 ||
      ::listen(made.fd_, kBacklog) != 0) {
    return not_served_on(address);
  }
  return made;
}

ListeningSocket::~ListeningSocket() {
  struct stat there {};
  if (fd_ >= 0 && !path_.empty() && ::lstat(path_.c_str(), &there) == 0 &&
      S_ISSOCK(there.st_mode) && there.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace rowlock
