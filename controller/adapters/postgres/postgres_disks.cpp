// PostgreSQL ends with a panic when its log finds no room, and does not come back before there is:
// so much is left to it.
#include "controller/adapters/postgres/postgres_disks.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sys/stat.h>
#include <sys/statvfs.h>

namespace rowlock {

namespace {

constexpr std::int64_t kLeftLeast = std::int64_t{128} << 20;  // A second's worth of the log.
constexpr std::int64_t kLeftMost = std::int64_t{1} << 30;

struct Disk {
  std::int64_t free = 0;
  std::int64_t all = 0;
};

std::optional<Disk> disk_of(const std::string& folder) {
  struct statvfs said {};
  if (::statvfs(folder.c_str(), &said) != 0) return std::nullopt;
  const auto block = static_cast<std::int64_t>(said.f_frsize);
  return Disk{static_cast<std::int64_t>(said.f_bavail) * block,
              static_cast<std::int64_t>(said.f_blocks) * block};
}

// Files come and go meanwhile.
std::int64_t bytes_in(const std::string& folder) {
  namespace fs = std::filesystem;
  std::int64_t bytes = 0;
  std::error_code code;
  for (fs::recursive_directory_iterator each(folder, code), end; !code && each != end;
       each.increment(code)) {
    struct stat said {};
    if (::lstat(each->path().c_str(), &said) == 0) bytes += std::int64_t{said.st_blocks} * 512;
  }
  return bytes;
}

bool are_one_disk(const std::string& left, const std::string& right) {
  struct stat a {};
  struct stat b {};
  return ::stat(left.c_str(), &a) == 0 && ::stat(right.c_str(), &b) == 0 && a.st_dev == b.st_dev;
}

}  // namespace

std::optional<ServerRoom> PostgresDisks::room() const {
  const auto of_data = disk_of(data);
  const auto of_log = disk_of(log);
  if (!of_data || !of_log) return std::nullopt;
  return ServerRoom{of_data->free, of_log->free, are_one_disk(data, log), log_max_bytes};
}

std::string PostgresDisks::shortage() const {
  for (const auto& [folder, what] : {std::pair(&data, "its data"), {&log, "its write-ahead log"}}) {
    const auto disk = disk_of(*folder);
    if (!disk) continue;
    const std::int64_t left =
        std::min(disk->all / 2, std::max(kLeftLeast, std::min(kLeftMost, disk->all / 20)));
    if (disk->free >= left) continue;
    return fmt::format("the disk of {} has {} MB left of {} MB", what, disk->free / 1'000'000,
                       disk->all / 1'000'000);
  }
  return "";
}

std::string PostgresDisks::excess() const {
  const std::int64_t bytes = bytes_max == 0 ? 0 : bytes_in(data);
  if (bytes <= bytes_max) return "";
  return fmt::format("its folder holds {} MB, and may hold {} MB", bytes / 1'000'000,
                     bytes_max / 1'000'000);
}

}  // namespace rowlock
