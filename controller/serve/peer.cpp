// The kernel notes who connected: see SO_PEERCRED in unix(7). Whether that process is in a
// container is told by NSpid in proc(5), which anybody may read: one number for each pid namespace
// from ours down to its own.
#include "controller/serve/peer.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/socket.h>

namespace rowlock {

namespace {

bool is_in_our_namespace(pid_t process) {
  std::ifstream status(fmt::format("/proc/{}/status", process));
  constexpr std::string_view kField = "NSpid:";
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(kField)) continue;
    std::istringstream numbers(line.substr(kField.size()));
    int count = 0;
    for (std::int64_t number = 0; numbers >> number;) ++count;
    return count == 1;
  }
  return false;
}

}  // namespace

Peer peer_of(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  Peer peer{credentials.pid, std::nullopt};
  if (credentials.pid > 0 && is_in_our_namespace(credentials.pid)) peer.user = credentials.uid;
  return peer;
}

}  // namespace rowlock
