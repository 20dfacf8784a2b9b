// The mode is looked at on the open file, so that what is judged is what is read.
#include "controller/secrets/private_file.h"

#include "controller/base/own_trouble.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace rowlock {

namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;

Error rejected(std::string message) {
  return {Fault::rejected, Cause::other, std::move(message), ""};
}

// In one of somebody else the bits of the group say what an access list gives at most, as where
// systemd hands out credentials.
bool is_too_open(const struct stat& about) {
  return (about.st_mode & (about.st_uid == geteuid() ? S_IRWXG | S_IRWXO : S_IRWXO)) != 0;
}

// Whether the mode of a file there can be changed: a stick may have none, or be read-only.
bool keeps_modes(int fd) {
  struct statvfs mounted {};
  struct statfs made {};
  return fstatvfs(fd, &mounted) == 0 && (mounted.f_flag & ST_RDONLY) == 0 &&
         fstatfs(fd, &made) == 0 && made.f_type != MSDOS_SUPER_MAGIC &&
         made.f_type != EXFAT_SUPER_MAGIC;
}

std::string mend_of(int fd, const std::string& path, const struct stat& about) {
  if ((geteuid() == 0 || about.st_uid == geteuid()) && keeps_modes(fd)) {
    return fmt::format("chmod 600 {}", path);
  }
  const std::string copy = std::filesystem::path(path).filename();
  return fmt::format("install -m 600 {} ~/{}, and name that copy", path, copy);
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
  PrivateFile file{SecretBytes(kFileBytesMax), false, ""};
  struct stat about {};
  const bool is_seen = fstat(fd, &about) == 0;
  file.is_open_to_others = is_seen && (about.st_mode & (S_IRGRP | S_IROTH)) != 0;
  if (is_seen && is_too_open(about)) file.mend = mend_of(fd, path, about);
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

Result<SecretBytes> read_identity_file(const std::string& path) {
  auto file = TRY(read_private_file(path));
  if (file.mend.empty()) return std::move(file.bytes);
  return Error{Fault::rejected, Cause::other,
               fmt::format("{} is not taken, since others than its owner can get at it", path),
               file.mend};
}

}  // namespace rowlock
