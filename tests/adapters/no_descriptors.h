// A process that may open nothing more, as when it has reached its limit of open files.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace rowlock {

// Nothing can be opened while it lives; what is open stays so. The limit itself stays above what
// poll() is given, which refuses more than may be open.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = kFew;
    ::setrlimit(RLIMIT_NOFILE, &few);
    for (int fd = take(); fd >= 0; fd = take()) taken_.push_back(fd);
  }
  ~NoDescriptors() {
    for (const int fd : taken_) ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  static constexpr rlim_t kFew = 256;
  static int take() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

  rlimit before_ = {};
  std::vector<int> taken_;
};

}  // namespace rowlock
