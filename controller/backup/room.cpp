// A restored database is smaller than it was, if anything; what its server writes of it to the log
// is about as much again, until a checkpoint lets go of it.
#include "controller/backup/room.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {

namespace {

std::int64_t megabytes(std::int64_t bytes) { return bytes / 1'000'000; }

std::int64_t up(std::int64_t bytes) { return (bytes + 999'999) / 1'000'000; }

}  // namespace

std::string lack_of_room(const ServerRoom& room, std::int64_t size_bytes) {
  const std::int64_t data = size_bytes + size_bytes / 5;
  const std::int64_t log = std::min(data, room.log_max_bytes);
  if (room.is_one_disk) {
    if (room.data_bytes >= data + log) return "";
    return fmt::format(
        "the server has room for {} MB, {} MB are needed: {} MB for the data and {} MB for its "
        "write-ahead log",
        megabytes(room.data_bytes), up(data + log), up(data), up(log));
  }
  if (room.data_bytes < data) {
    return fmt::format("the server has room for {} MB of data, {} MB are needed",
                       megabytes(room.data_bytes), up(data));
  }
  if (room.log_bytes < log) {
    return fmt::format(
        "the server has room for {} MB of its write-ahead log, {} MB would come at a time",
        megabytes(room.log_bytes), up(log));
  }
  return "";
}

}  // namespace rowlock
