// Who is at the other end of a unix socket, as the kernel knows it. Private to this folder.
#pragma once

#include <cstdint>
#include <optional>

namespace rowlock {

struct Peer {
  std::int64_t process = 0;  // 0: it is not known.

  // Absent when the process is in a container (a pid namespace below ours): user 0 there is not the
  // machine's; and when that cannot be found out.
  std::optional<std::int64_t> user;
};

Peer peer_of(int fd);

}  // namespace rowlock
