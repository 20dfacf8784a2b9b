// An open file or folder that is closed when it goes.
#pragma once

#include "controller/base/result.h"

#include <cerrno>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace rowlock {

class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}  // -1: none, as open() says it.
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  // Leaves errno as it is.
  OpenFile& operator=(OpenFile&& other) noexcept {
    const int code = errno;
    if (fd_ >= 0 && this != &other) ::close(fd_);
    if (this != &other) fd_ = std::exchange(other.fd_, -1);
    errno = code;
    return *this;
  }

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  int fd_;
};

// The call on a file that failed, in the system's words. Transient when there is no room.
Error file_error(const std::string& attempt, int code, std::string hint = "");

// All the bytes; `attempt` opens the error's message.
Result<> write_all(const OpenFile& file, const std::string& attempt, std::string_view bytes);

// Whether it holds just these bytes, read from where it stands.
bool holds(const OpenFile& file, std::string_view bytes);

}  // namespace rowlock
