// Sockets to serve on, put where clients look for them only once they work. Private to this folder.
#pragma once

#include "controller/base/result.h"

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <utility>

namespace rowlock {

class ListeningSocket {
 public:
  // What bind() can hold: sockaddr_un has 108 bytes, the last of them NUL.
  static constexpr std::size_t kPathMax = 107;

  // At `path`, with that mode from the first moment that it is there. A socket on which nobody
  // accepts is replaced; anything else that stands there is rejected.
  static Result<ListeningSocket> at_path(const std::string& path, mode_t mode);

  // ADDRESS:PORT of loopback: 127.0.0.0/8, or ::1 as [::1]:PORT. Rejects any other.
  static Result<ListeningSocket> on_loopback(const std::string& address);

  // Closes; takes the file away with it, unless another has taken its place.
  ~ListeningSocket();
  ListeningSocket(ListeningSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), inode_(other.inode_) {}
  ListeningSocket& operator=(ListeningSocket&&) = delete;

  int fd() const { return fd_; }

 private:
  explicit ListeningSocket(int fd) : fd_(fd) {}

  int fd_;
  std::string path_;
  std::uint64_t inode_ = 0;
};

}  // namespace rowlock
