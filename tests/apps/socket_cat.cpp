// What a container of the live tests asks a unix socket with, since busybox cannot: sends standard
// input there, and prints what comes back until the other end is closed.
//
//   socket_cat PATH < REQUEST
#include <cstdio>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

bool copy(int from, int to) {
  char bytes[4096];
  for (;;) {
    const ssize_t got = read(from, bytes, sizeof bytes);
    if (got == 0) return true;
    if (got < 0) return false;
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t part = write(to, bytes + sent, static_cast<std::size_t>(got - sent));
      if (part < 0) return false;
      sent += part;
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return std::fprintf(stderr, "socket_cat PATH\n"), 2;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, arguments[1], sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return std::perror(arguments[1]), 1;
  }
  return copy(STDIN_FILENO, fd) && copy(fd, STDOUT_FILENO) ? 0 : 1;
}
