// A process held by a handle that no other process can come to have, unlike its number.
// Through syscall(): glibc before 2.37 declares these calls for C alone.
#pragma once

#include <cstdint>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace rowlock {

class ProcessHandle {
 public:
  explicit ProcessHandle(std::int64_t process)
      : fd_(process > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, process, 0)) : -1) {}
  ~ProcessHandle() {
    if (fd_ >= 0) ::close(fd_);
  }
  ProcessHandle(const ProcessHandle&) = delete;
  ProcessHandle& operator=(const ProcessHandle&) = delete;

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }  // Readable once the process has ended.
  void signal(int number) const { (void)::syscall(SYS_pidfd_send_signal, fd_, number, nullptr, 0); }

  // True once it has ended. Requires: is_open().
  bool ends_within(int ms) const {
    pollfd wanted{fd_, POLLIN, 0};
    return ::poll(&wanted, 1, ms) > 0;
  }

 private:
  int fd_;
};

}  // namespace rowlock
