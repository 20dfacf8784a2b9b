// A store on a disk of this machine that is full: as any other store that fails.
#include "tests/backup/backup_files.h"
#include "tests/live/backups/backup_faults_rig.h"
#include "tests/live/backups/small_disk.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <filesystem>
#include <map>

using namespace rowlock;
using namespace rowlock_live;

namespace {

constexpr int kMegabytes = 3;  // Less than half of the disk.

// Of every file in the folder, whatever its name.
std::map<std::string, std::string> contents_of(const std::string& folder) {
  std::map<std::string, std::string> found;
  for (const auto& each : std::filesystem::recursive_directory_iterator(folder)) {
    if (each.is_regular_file()) found[each.path()] = file_text(each.path());
  }
  return found;
}

}  // namespace

Test(live_rowlock_backup_faults, a_disk_that_is_full_harms_nothing_that_is_on_it, .timeout = 300) {
  const SmallDisk disk;
  const std::string store = disk.folder() + "/store";
  std::filesystem::create_directory(store);
  BackupFaultsRig rig(kMegabytes);
  rig.home.accept(
      fmt::format("INSERT INTO object_store (name, url, recipients, identity_file) VALUES ('disk', "
                  "'file://{}', "
                  "'[\"{}\"]', '{}'); {} INSERT INTO backup_policy (name, kind, store, enabled) "
                  "VALUES ('home', "
                  "'home', 'disk', 0); INSERT INTO backup_policy (name, database, store, "
                  "keep_last, keep_daily, "
                  "keep_weekly, keep_monthly) VALUES ('disk', 'app', 'disk', 1, 0, 0, 0)",
                  store, kRecipients[0], rig.identity(), rig.insert_database("app")));
  rig.await_newest("disk", "state", "verified");
  const auto before = contents_of(store);

  disk.fill();
  rig.ask("disk");
  rig.await_newest("disk", "state", "failed");
  rig.expect_sentence("disk", "detail", "No space left on device");
  cr_expect(before.size() == 1 && contents_of(store) == before, "the good one is not alone");
  disk.clear();

  rig.await_newest("disk", "state", "verified");
  rig.home.await("SELECT count(*) FROM backup WHERE policy = 'disk' AND state = 'expired'", "1");
  cr_expect(contents_of(store).size() == 1);
  cr_expect(contents_of(store).begin()->first.ends_with(rig.newest("disk", "object")));
}
