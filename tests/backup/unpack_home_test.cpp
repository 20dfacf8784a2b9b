// A home out of its backup: the same rows, the same id, the modes that `init` gives; and where that
// cannot be had, nothing.
#include "controller/backup/unpack_home.h"

#include "controller/backup/home_copies.h"
#include "tests/backup/backup_files.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <filesystem>
#include <sys/stat.h>

using namespace rowlock;

namespace {

std::string backup_of_home(const Home& home) {
  std::string file;
  auto begun =
      BackupFileWriter::begin({kRecipients[0]}, home_header(), [&](std::string_view bytes) {
        file += bytes;
        return Result<>(Done{});
      });
  cr_assert(begun.ok());
  const std::atomic<bool> never = false;
  const auto copied = FolderCopies(home.folder()).copy(*begun.value(), never);
  cr_assert(copied.ok(), "%s", copied.ok() ? "" : copied.error().message.c_str());
  cr_assert(begun.value()->finish(Json::object({})).ok());
  return file;
}

// What unpack_home() says; empty: all went well.
std::string unpack(const std::string& file, const std::string& folder) {
  auto opened = BackupFileReader::open(SecretBytes(kIdentities[0]), source_of(file, 10'000));
  cr_assert(opened.ok(), "%s", opened.ok() ? "" : opened.error().message.c_str());
  const auto unpacked = unpack_home(*opened.value(), folder);
  return unpacked.ok() ? "" : unpacked.error().message;
}

mode_t mode_of(const std::string& path) {
  struct stat found {};
  cr_assert_eq(stat(path.c_str(), &found), 0, "%s", path.c_str());
  return found.st_mode & 07777;
}

std::size_t count_in(const std::string& folder) {
  const std::filesystem::directory_iterator files(folder);
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

}  // namespace

Test(unpack_home, it_is_the_same_home_again) {
  MadeHome made;
  (void)made.state();
  Shell(made.home.desired_path()).run("INSERT INTO job (name, image) VALUES ('web', 'a:1')");
  write(made.home.unseal_age_path(), "a wrapped key");
  const Home home(made.folder / "again");

  const std::string said = unpack(backup_of_home(made.home), home.folder());

  cr_assert(said.empty(), "%s", said.c_str());
  cr_expect_eq(count_in(home.folder()), 3);
  cr_expect(contents(home.unseal_age_path()) == "a wrapped key");
  cr_expect_eq(mode_of(home.folder()), 0770);
  cr_expect_eq(mode_of(home.desired_path()), mode_of(made.home.desired_path()));
  cr_expect_eq(mode_of(home.state_path()), mode_of(made.home.state_path()));
  cr_expect_eq(mode_of(home.unseal_age_path()), 0600);
  const std::string id = Shell(made.home.state_path()).value("SELECT id FROM home");
  cr_expect_not(id.empty());
  cr_expect(Shell(home.state_path()).value("SELECT id FROM home") == id);
  cr_expect(Shell(home.desired_path()).value("SELECT image FROM job") == "a:1");
  cr_expect(open_state(home.state_path(), made.schema, 2'000'000).ok());
  cr_expect(open_desired_for_editing(home).ok());
}

Test(unpack_home, a_home_that_is_there_is_left_alone) {
  MadeHome made;
  (void)made.state();
  const std::string file = backup_of_home(made.home);
  const std::string before = contents(made.home.desired_path());

  const std::string said = unpack(file, made.home.folder());

  cr_expect(said ==
            made.home.desired_path() + " is there already: a backup is not unpacked over a home");
  cr_expect(contents(made.home.desired_path()) == before);
  for (const std::string name :
       {"desired.db", "state.db", "unseal.age", "state.db-wal", "desired.db-journal"}) {
    const TempFolder folder;
    write(folder / name, "x");
    cr_expect(unpack(file, folder.path()).starts_with(folder / name), "%s", name.c_str());
    cr_expect(contents(folder / name) == "x");
    cr_expect_eq(count_in(folder.path()), 1);
  }
}

Test(unpack_home, a_folder_with_other_things_in_it_will_do) {
  MadeHome made;
  (void)made.state();
  const TempFolder folder;
  write(folder / "notes.txt", "mine");
  write(folder / "state.db.unfinished", "of a machine that went down");

  const std::string said = unpack(backup_of_home(made.home), folder.path());

  cr_expect(said.empty(), "%s", said.c_str());
  cr_expect(contents(folder / "notes.txt") == "mine");
  cr_expect_eq(count_in(folder.path()), 3);
}

Test(unpack_home, a_backup_that_is_not_whole_leaves_nothing, .timeout = 60) {
  MadeHome made;
  (void)made.state();
  const std::string file = backup_of_home(made.home);
  const TempFolder folder;
  const std::string home = folder / "home";

  std::vector<std::string> damaged = {file.substr(0, file.size() - 1)};
  damaged.push_back(file + "x");
  damaged.push_back(file);
  damaged.back()[file.size() - 20] ^= 1;
  for (const std::string& each : damaged) {
    auto opened = BackupFileReader::open(SecretBytes(kIdentities[0]), source_of(each, 1000));
    if (opened.ok()) cr_expect_not(unpack_home(*opened.value(), home).ok());
    cr_expect_not(std::filesystem::exists(home));
    if (opened.ok()) cr_expect_eq(count_in(folder.path()), 0);
  }
}

Test(unpack_home, members_that_do_not_match_the_manifest_leave_nothing) {
  const TempFolder folder;
  const std::string home = folder / "home";
  const Members content = {{"desired.db", noise(200'000)}, {"state.db", noise(200'000, 2)}};
  Members members = honest(home_header(), content);
  members.back().second = manifest_of(home_header(), {content[0], {"state.db", noise(200'000, 3)}});

  cr_expect(unpack(forged(honest(home_header(), content)), folder / "good").empty());
  cr_expect(unpack(forged(members), home) ==
            "the backup file has another content in its member state.db than its manifest lists");
  cr_expect_not(std::filesystem::exists(home));
}

Test(unpack_home, what_is_no_backup_of_a_home_is_refused_and_leaves_nothing) {
  const TempFolder folder;
  const std::string home = folder / "home";
  const auto forged_home = [](const Members& content) {
    return forged(honest(home_header(), content));
  };

  cr_expect(unpack(backup_of(postgres_header(), {{"dump*", "rows"}}), home) ==
            "backup b-1 is one of the database school, not of a home");
  cr_expect(unpack(forged_home({{"desired.db", "x"}}), home) == "the backup has no state.db");
  cr_expect(unpack(forged_home({}), home) == "the backup has no desired.db");
  cr_expect(unpack(forged_home({{"desired.db", "x"}, {"state.db", "y"}, {"id_rsa", "z"}}), home) ==
            "the backup has a member that no home has: id_rsa");
  cr_expect_not(std::filesystem::exists(home));
  cr_expect(unpack(forged_home({{"desired.db", "x"}, {"state.db", "y"}}), folder / "no/where") ==
            "cannot make the folder " + (folder / "no/where") + ": No such file or directory");
  write(folder / "file", "x");
  cr_expect_not(unpack(forged_home({{"desired.db", "x"}}), folder / "file").empty());
}
