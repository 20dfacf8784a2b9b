// Whether a server has room for what is to be restored on it, data and log.
#include "controller/backup/room.h"

#include <criterion/criterion.h>

#include <limits>

using rowlock::lack_of_room;
using rowlock::ServerRoom;

namespace {

constexpr std::int64_t kMegabyte = 1'000'000;
constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();

ServerRoom one_disk(std::int64_t megabytes, std::int64_t log_max) {
  return {megabytes * kMegabyte, megabytes * kMegabyte, true, log_max};
}

}  // namespace

Test(backup_room, on_one_disk_data_and_log_need_room_together) {
  cr_expect(lack_of_room(one_disk(240, kAll), 100 * kMegabyte).empty());
  cr_expect(lack_of_room(one_disk(239, kAll), 100 * kMegabyte) ==
            "the server has room for 239 MB, 240 MB are needed: 120 MB for the data and 120 "
            "MB for its write-ahead log");
  // Checkpoints let go of what is not kept.
  cr_expect(lack_of_room(one_disk(150, 30 * kMegabyte), 100 * kMegabyte).empty());
  cr_expect(!lack_of_room(one_disk(149, 30 * kMegabyte), 100 * kMegabyte).empty());
}

Test(backup_room, on_two_disks_each_needs_its_own) {
  const std::int64_t size = 100 * kMegabyte;
  cr_expect(lack_of_room({120 * kMegabyte, 120 * kMegabyte, false, kAll}, size).empty());
  cr_expect(lack_of_room({119 * kMegabyte, 900 * kMegabyte, false, kAll}, size) ==
            "the server has room for 119 MB of data, 120 MB are needed");
  cr_expect(lack_of_room({900 * kMegabyte, 50 * kMegabyte, false, kAll}, size) ==
            "the server has room for 50 MB of its write-ahead log, 120 MB would come at a "
            "time");
  cr_expect(lack_of_room({900 * kMegabyte, 50 * kMegabyte, false, 40 * kMegabyte}, size).empty());
}

Test(backup_room, nothing_needs_no_room) { cr_expect(lack_of_room(one_disk(0, kAll), 0).empty()); }
