// The mode is looked at on the open file, so that what is judged is what is read.
#include "controller/secrets/private_file.h"

#include "controller/base/own_trouble.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rowlock {

namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;

Error rejected(std::string message) {
  return {Fault::rejected, Cause::other, std::move(message), ""};
}

}  // namespace

Result<PrivateFile> read_private_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && is_own_trouble(errno)) {
    return own_trouble(path, errno);
  }
  if (fd < 0) {
    return rejected(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  PrivateFile file{SecretBytes(kFileBytesMax), false};
  struct stat about {};
  file.is_open_to_others = fstat(fd, &about) == 0 && (about.st_mode & (S_IRGRP | S_IROTH)) != 0;
  std::size_t size = 0;
  ssize_t count = 0;
  while (size < kFileBytesMax &&
         (count = read(fd, file.bytes.data() + size, kFileBytesMax - size)) > 0) {
    size += static_cast<std::size_t>(count);
  }
  const int code = errno;
  close(fd);
  if (count < 0) {
    return rejected(fmt::format("{}: {}", path, std::strerror(code)));
  }
  if (size == kFileBytesMax) {
    return rejected(fmt::format("{} is too large for what it should be", path));
  }
  file.bytes = SecretBytes(file.bytes.view().substr(0, size));
  return file;
}

}  // namespace rowlock
