// A restore on a server whose write-ahead log lies on a small disk: it is refused before it begins,
// or ended before the server panics.
#include "controller/backup/room.h"
#include "tests/live/postgres/postgres_dump_rig.h"

#include <criterion/criterion.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <sys/mount.h>

using namespace rowlock;

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMegabyte = 1'000'000;

// A disk of its own in memory; it goes when this does.
class SmallDisk {
 public:
  explicit SmallDisk(int megabytes) {
    const std::string options = "size=" + std::to_string(megabytes) + "m";
    if (::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, options.c_str()) != 0) {
      cr_skip_test("no disk can be mounted here: %s", std::strerror(errno));
    }
    is_mounted_ = true;
  }
  ~SmallDisk() {
    if (is_mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  std::string path() const { return folder_.path(); }

 private:
  TempFolder folder_;
  bool is_mounted_ = false;
};

// The log of the server moves there.
void move_log(PostgresRig& rig, const SmallDisk& disk) {
  rig.stop();
  const fs::path log = fs::path(rig.data_folder()) / "pg_wal";
  const fs::path there = fs::path(disk.path()) / "pg_wal";
  cr_assert_eq(
      std::system(("cp -a " + log.string() + " " + there.string() + " && chmod 755 " + disk.path() +
                   " && rm -r " + log.string() + " && ln -s " + there.string() + " " + log.string())
                      .c_str()),
      0);
  rig.start();
}

}  // namespace

Test(live_postgres_room, the_disks_of_data_and_log_are_told_and_what_keeps_the_log,
     .timeout = 120) {
  const SmallDisk disk(256);
  PostgresDumpRig c;
  move_log(c.rig, disk);

  const auto room = c.dumps.room(c.address("postgres"));
  cr_assert(room.ok() && room.value().has_value());
  cr_expect(!room.value()->is_one_disk);
  cr_expect(room.value()->log_bytes < 256 * kMegabyte * 11 / 10 &&
            room.value()->data_bytes > room.value()->log_bytes);
  cr_expect_eq(room.value()->log_max_bytes, std::int64_t{3} << 30,
               "twice max_wal_size and a gigabyte");
  const std::string lack = lack_of_room(*room.value(), 500 * kMegabyte);
  cr_expect(lack.find("MB of its write-ahead log") != std::string::npos, "%s", lack.c_str());

  c.run({"SELECT pg_create_physical_replication_slot('away', true)"});
  cr_expect_eq(c.dumps.room(c.address("postgres")).value()->log_max_bytes,
               std::numeric_limits<std::int64_t>::max());
}

Test(live_postgres_room, a_restore_is_ended_before_the_server_is_in_need, .timeout = 240) {
  const SmallDisk disk(256);
  PostgresDumpRig c;
  move_log(c.rig, disk);
  std::vector<std::string> statements = {
      "ALTER SYSTEM SET max_wal_size = '64MB'", "ALTER SYSTEM SET min_wal_size = '32MB'",
      "SELECT pg_reload_conf()", "CREATE TABLE big (n int, t text)"};
  for (int i = 0; i < 20; ++i) {
    statements.push_back(
        "INSERT INTO big SELECT n, md5(n::text) || md5((-n)::text) FROM generate_series(1, 100000) "
        "AS n");
    statements.push_back("CHECKPOINT");
  }
  statements.insert(statements.end(), {"CREATE INDEX ON big (n)", "CHECKPOINT"});
  c.run(statements);
  MemoryMembers members;
  const auto dumped = c.dump(members);
  cr_assert(dumped.ok(), "%s", dumped.ok() ? "" : dumped.error().message.c_str());
  c.run({"SELECT pg_create_physical_replication_slot('away', true)"});

  const auto ended = c.restore(members);

  cr_assert(!ended.ok());
  cr_expect(ended.error().message.find("ended before the server runs out of disk: the disk of its "
                                       "write-ahead log has") != std::string::npos,
            "%s", ended.error().message.c_str());
  cr_expect(ended.error().fault == Fault::transient);
  cr_expect(c.rig.ask("SELECT count(*) FROM big") == "2000000", "the server serves on");
  cr_expect(c.databases().find("copy") == std::string::npos, "%s", c.databases().c_str());
  cr_expect(c.rig.log().find("PANIC") == std::string::npos);

  // Without what keeps the log it is done.
  c.run({"SELECT pg_drop_replication_slot('away')", "CHECKPOINT"});
  const auto restored = c.restore(members);
  cr_expect(restored.ok(), "%s", restored.ok() ? "" : restored.error().message.c_str());
}
