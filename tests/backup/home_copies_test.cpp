// The copies of a home that is in use: each database as one transaction saw it, whatever its
// writers do meanwhile, and nothing of it left behind.
#include "controller/backup/home_copies.h"

#include "controller/crypto/cipher.h"
#include "tests/soak.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace rowlock;

namespace {

const int kCopies = soaked(60, 3000);

// Keeps what it is given, and calls `began` at the beginning of each member.
class KeptMembers : public MemberWriter {
 public:
  std::function<Result<>()> began;
  std::map<std::string, std::string> members;
  std::vector<std::string> order;

  Result<> begin(const std::string& name, std::int64_t size_bytes) override {
    order.push_back(name);
    size_bytes_ = size_bytes;
    return began ? began() : Done{};
  }
  Result<> write(std::string_view bytes) override {
    members[order.back()] += bytes;
    return Done{};
  }
  Result<> end() override {
    cr_assert_eq(static_cast<std::int64_t>(members[order.back()].size()), size_bytes_);
    return Done{};
  }
  Result<> add_piece(const std::string& name, std::string_view) override {
    cr_assert_fail("a home is copied one member after the other, and not %s", name.c_str());
    return Done{};
  }

 private:
  std::int64_t size_bytes_ = 0;
};

const std::atomic<bool> kNever = false;

// But for SQLite's own files beside a database in WAL mode.
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (!name.ends_with("-wal") && !name.ends_with("-shm")) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Two rows that every transaction makes equal, and much else for it to write.
void make_pair_of_rows(Shell& shell) {
  cr_assert(shell
                .run("CREATE TABLE twin (name TEXT PRIMARY KEY, value INTEGER);"
                     "CREATE TABLE filler (value INTEGER, text TEXT);"
                     "INSERT INTO twin VALUES ('one', 0), ('other', 0)")
                .empty());
}

// Of somebody who knows no busy timeout. Says how many times the file was locked, be it for one
// attempt or for many.
int write_until(const std::atomic<bool>& done, const std::string& path) {
  Shell shell(path);
  shell.run("PRAGMA synchronous=OFF");  // More commits for a disk that is slow.
  int locked = 0;
  bool was_locked = false;
  for (int i = 1; !done; ++i) {
    const std::string said =
        shell.run(fmt::format("BEGIN IMMEDIATE; UPDATE twin SET value = {0} WHERE name = 'one';"
                              "INSERT INTO filler VALUES ({0}, hex(randomblob(600)));"
                              "DELETE FROM filler WHERE value < {0} - 200;"
                              "UPDATE twin SET value = {0} WHERE name = 'other'; COMMIT",
                              i));
    if (!said.empty()) shell.run("ROLLBACK");
    locked += !said.empty() && !was_locked ? 1 : 0;
    was_locked = !said.empty();
  }
  return locked;
}

// The value of both rows; -1 when they differ or the copy is no sound database.
std::int64_t twin_value_in(const std::string& path) {
  Shell shell(path);
  if (shell.value("PRAGMA integrity_check") != "ok") return -1;
  if (shell.value("SELECT count(DISTINCT value) FROM twin") != "1") return -1;
  return std::stoll(shell.value("SELECT value FROM twin"));
}

// Copies of both files, while two others write to each of them without a pause.
void copy_while_others_write(const std::string& mode) {
  MadeHome made;
  const Database controller = made.state();
  for (const std::string& path : {made.home.desired_path(), made.home.state_path()}) {
    Shell shell(path);
    if (path == made.home.desired_path()) shell.value("PRAGMA journal_mode=" + mode);
    make_pair_of_rows(shell);
  }
  std::atomic<bool> is_done = false;
  int locked = 0;
  std::thread engineer([&] { locked = write_until(is_done, made.home.desired_path()); });
  std::thread other([&] { write_until(is_done, made.home.state_path()); });
  FolderCopies copies(made.home.folder());
  const TempFolder folder;
  std::map<std::string, std::int64_t> newest;

  for (int i = 0; i < kCopies; ++i) {
    KeptMembers kept;
    const auto copied = copies.copy(kept, kNever);
    cr_assert(copied.ok(), "%s: %s", mode.c_str(),
              copied.ok() ? "" : copied.error().message.c_str());
    cr_assert(kept.order == std::vector<std::string>({"desired.db", "state.db"}));
    for (const auto& [name, bytes] : kept.members) {
      write(folder / name, bytes);
      const std::int64_t value = twin_value_in(folder / name);
      cr_expect_geq(value, newest[name], "%s: copy %d of %s", mode.c_str(), i, name.c_str());
      newest[name] = value;
    }
  }
  is_done = true;
  engineer.join();
  other.join();

  cr_expect_gt(newest["desired.db"], 0, "%s: its writer got through", mode.c_str());
  cr_expect_gt(newest["state.db"], 0);
  // A reader that finds the log's head half written locks it, to look again, for some
  // microseconds.
  if (mode == "wal") cr_expect_lt(locked, kCopies / 4, "%d", locked);
}

}  // namespace

Test(home_copies, each_is_what_one_transaction_saw_in_wal_mode, .timeout = 3600) {
  copy_while_others_write("wal");
}

Test(home_copies, each_is_what_one_transaction_saw_with_a_rollback_journal, .timeout = 3600) {
  copy_while_others_write("delete");
}

Test(home_copies, a_copy_is_the_database_as_it_was_with_its_mode_and_its_marks) {
  MadeHome made;
  (void)made.state();
  write(made.home.unseal_age_path(), "a wrapped key");
  KeptMembers kept;

  cr_assert(FolderCopies(made.home.folder()).copy(kept, kNever).ok());

  cr_expect(kept.order == std::vector<std::string>({"desired.db", "state.db", "unseal.age"}));
  cr_expect(kept.members["unseal.age"] == "a wrapped key");
  const TempFolder folder;
  write(folder / "desired.db", kept.members["desired.db"]);
  Shell copy(folder / "desired.db");
  Shell original(made.home.desired_path());
  for (const std::string question :
       {"PRAGMA journal_mode", "PRAGMA application_id", "PRAGMA user_version", "PRAGMA page_size",
        "SELECT group_concat(sql) FROM (SELECT sql FROM sqlite_schema ORDER BY rowid)",
        "SELECT group_concat(name) FROM node"}) {
    cr_expect(copy.value(question) == original.value(question), "%s", question.c_str());
  }
  cr_expect(copy.value("PRAGMA journal_mode") == "wal");
}

Test(home_copies, what_is_not_in_the_main_file_yet_is_copied_too) {
  MadeHome made;
  (void)made.state();
  Shell shell(made.home.desired_path());
  shell.value("PRAGMA wal_autocheckpoint=0");
  cr_assert(shell.run("INSERT INTO job (name, image) VALUES ('web', 'a:1')").empty());
  KeptMembers kept;

  cr_assert(FolderCopies(made.home.folder()).copy(kept, kNever).ok());

  const TempFolder folder;
  write(folder / "desired.db", kept.members["desired.db"]);
  cr_expect(Shell(folder / "desired.db").value("SELECT image FROM job") == "a:1");
}

Test(home_copies, nothing_of_it_is_to_be_seen_in_the_home) {
  MadeHome made;
  (void)made.state();
  const auto before = names_in(made.home.folder());
  KeptMembers kept;
  std::vector<std::string> between;
  kept.began = [&]() -> Result<> {
    for (const std::string& name : names_in(made.home.folder())) between.push_back(name);
    return Done{};
  };

  cr_assert(FolderCopies(made.home.folder()).copy(kept, kNever).ok());

  for (const std::string& name : between) {
    cr_expect(name == "desired.db" || name == "state.db", "%s", name.c_str());
  }
  cr_expect(names_in(made.home.folder()) == before);
}

Test(home_copies, it_ends_soon_and_says_what_failed) {
  MadeHome made;
  (void)made.state();
  FolderCopies copies(made.home.folder());
  const auto before = names_in(made.home.folder());
  const std::atomic<bool> ending = true;
  KeptMembers kept;

  const auto ended = copies.copy(kept, ending);
  cr_assert_not(ended.ok());
  cr_expect(ended.error().fault == Fault::transient);
  cr_expect(ended.error().message.find("broken off, since Rowlock is ending") != std::string::npos);
  cr_expect(kept.order.empty());

  KeptMembers full;
  full.began = []() -> Result<> {
    return Error{Fault::transient, Cause::other, "the store is full", ""};
  };
  cr_expect(copies.copy(full, kNever).error().message == "the store is full");
  cr_expect(FolderCopies(made.folder / "none").copy(kept, kNever).error().cause ==
            Cause::not_found);
  cr_expect(names_in(made.home.folder()) == before);
}

Test(home_copies, a_file_that_is_locked_for_long_or_damaged_is_named) {
  MadeHome made;
  (void)made.state();
  FolderCopies copies(made.home.folder());
  Shell engineer(made.home.desired_path());
  engineer.value("PRAGMA journal_mode=delete");
  cr_assert(engineer.run("BEGIN EXCLUSIVE; UPDATE node SET site = 'x'").empty());
  KeptMembers kept;

  const auto locked = copies.copy(kept, kNever);
  cr_assert_not(locked.ok());
  cr_expect(locked.error().fault == Fault::transient);
  cr_expect(locked.error().hint.find("another program is writing to it") != std::string::npos);
  cr_assert(engineer.run("COMMIT").empty());
  cr_expect(copies.copy(kept, kNever).ok());

  write(made.home.desired_path(), std::string(5000, 'x'));
  const auto damaged = copies.copy(kept, kNever);
  cr_assert_not(damaged.ok());
  cr_expect(damaged.error().fault == Fault::broken);
}

Test(home_copies, a_home_that_cannot_be_written_to_is_named) {
  if (::geteuid() != 0) return;  // Only root can become somebody who may not.
  MadeHome made;
  (void)made.state();
  std::filesystem::permissions(made.folder.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(made.home.folder(), std::filesystem::perms(0755));
  for (const std::string& path : {made.home.desired_path(), made.home.state_path()}) {
    Shell(path).value("PRAGMA journal_mode=delete");
    std::filesystem::permissions(path, std::filesystem::perms(0644));
  }
  KeptMembers kept;

  cr_assert_eq(::seteuid(65534), 0);
  const auto refused = FolderCopies(made.home.folder()).copy(kept, kNever);
  cr_assert_eq(::seteuid(0), 0);

  cr_assert_not(refused.ok());
  cr_expect(refused.error().message ==
            "make a file in " + made.home.folder() + ": Permission denied");
}
