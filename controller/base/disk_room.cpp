// The file system is asked, since SQLite says of a full disk now this, now that.
#include "controller/base/disk_room.h"

#include <cstdint>
#include <sys/statvfs.h>
#include <unistd.h>

namespace rowlock {

namespace {

constexpr std::uint64_t kRoomMin = 64 * 1024;  // A few pages of a write-ahead log.

}  // namespace

bool has_no_room(const std::string& path) {
  struct statvfs found {};
  if (statvfs(path.c_str(), &found) != 0 || found.f_blocks == 0) return false;
  const auto blocks = geteuid() == 0 ? found.f_bfree : found.f_bavail;  // Some are root's alone.
  return static_cast<std::uint64_t>(blocks) * found.f_frsize < kRoomMin ||
         (found.f_files > 0 && found.f_ffree == 0);
}

}  // namespace rowlock
