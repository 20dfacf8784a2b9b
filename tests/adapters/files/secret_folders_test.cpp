// Secret folders in the memory of this machine. Tests that need a tmpfs, or root to mount one, are
// skipped without.
#include "controller/adapters/files/secret_folders.h"

#include "controller/launcher/launcher.h"
#include "tests/conformance/secret_folders_suite.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <filesystem>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

using namespace rowlock;

namespace {

namespace fs = std::filesystem;

constexpr char kPlace[] = "/dev/shm";
constexpr unsigned kNobody = 65534;

bool is_root() { return ::geteuid() == 0; }

void needs_memory() {
  struct statfs found {};
  if (::statfs(kPlace, &found) != 0 || found.f_type != TMPFS_MAGIC || ::access(kPlace, W_OK) != 0) {
    cr_skip_test("/dev/shm is no tmpfs that may be written to");
  }
}

// A tmpfs of this test alone.
void mount_memory(const std::string& path, unsigned long flags, const char* options) {
  if (!is_root()) cr_skip_test("only root may mount");
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", path.c_str(), "tmpfs", flags, options) != 0) {
    cr_skip_test("nothing can be mounted here");
  }
}

// A home, and its folders in /dev/shm, which go away with the test.
struct Rig {
  TempFolder home;
  std::string base;
  MemoryFolders folders{home.path(), {kPlace}};

  Rig() : base(std::string(kPlace) + "/" + secret_home_name(home.path()).value()) {}
  ~Rig() {
    std::error_code ignored;
    fs::remove_all(base, ignored);
  }
};

std::vector<SecretFile> token(const std::string& content, int user = -1) {
  std::vector<SecretFile> files;
  files.push_back({"token", SecretBytes(content), 0400,
                   user < 0 ? static_cast<int>(::geteuid()) : user, static_cast<int>(::getegid())});
  return files;
}

std::optional<SeenSecret> seen(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return std::nullopt;
  return SeenSecret{contents(path), static_cast<int>(found.st_mode & 07777),
                    static_cast<int>(found.st_uid), static_cast<int>(found.st_gid)};
}

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator it(path, failed), end; !failed && it != end; it.increment(failed)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

mode_t mode_of(const std::string& path) {
  struct stat found {};
  cr_assert(::lstat(path.c_str(), &found) == 0, "%s", path.c_str());
  return found.st_mode & 07777;
}

void is_broken(const Result<>& result, const std::string& part) {
  cr_assert(!result.ok(), "expected: %s", part.c_str());
  const Error& error = result.error();
  cr_expect(error.fault == Fault::broken && !error.hint.empty() &&
                error.message.find(part) != std::string::npos,
            "%s (%s)", error.message.c_str(), error.hint.c_str());
}

}  // namespace

Test(secret_folders, behave_like_all_secret_folders) {
  needs_memory();
  Rig rig;
  SecretFoldersFixture fixture;
  fixture.user = is_root() ? 1234 : static_cast<int>(::geteuid());
  fixture.group = is_root() ? 4321 : static_cast<int>(::getegid());
  fixture.file = [&](const std::string& folder, const std::string& name) {
    return seen(rig.base + "/" + folder + "/" + name);
  };
  fixture.files = [&](const std::string& folder) { return names_in(rig.base + "/" + folder); };

  check_secret_folders(rig.folders, fixture);

  cr_expect(::access(rig.base.c_str(), F_OK) != 0, "something is left behind");
}

Test(secret_folders, nobody_else_comes_past_the_homes_folder) {
  needs_memory();
  ::umask(0);
  Rig rig;
  cr_assert(rig.folders.write("web-1", token("one")).ok());

  cr_expect_eq(mode_of(rig.base), 0700);
  cr_expect_eq(mode_of(rig.base + "/web-1"), 0755);
  cr_expect(rig.folders.path("web-1").value() == rig.base + "/web-1");
}

Test(secret_folders, a_home_has_one_folder_by_whatever_path_it_is_reached) {
  needs_memory();
  Rig rig;
  const TempFolder other;
  const std::string link = other / "link";
  cr_assert(::symlink(rig.home.path().c_str(), link.c_str()) == 0);
  MemoryFolders linked(link, {kPlace});
  MemoryFolders apart(other.path(), {kPlace});

  cr_expect(linked.path("web-1").value() == rig.folders.path("web-1").value());
  cr_expect(apart.path("web-1").value() != rig.folders.path("web-1").value());
}

Test(secret_folders, a_file_that_is_so_already_is_not_touched) {
  needs_memory();
  Rig rig;
  const std::string path = rig.base + "/web-1/token";
  const auto number_of = [&] {
    struct stat found {};
    cr_assert(::lstat(path.c_str(), &found) == 0);
    return found.st_ino;
  };
  cr_assert(rig.folders.write("web-1", token("one")).ok());
  const ino_t first = number_of();

  cr_expect(rig.folders.write("web-1", token("one")).ok());
  cr_expect_eq(number_of(), first);
  cr_expect(rig.folders.write("web-1", token("two")).ok());
  cr_expect_neq(number_of(), first);
}

Test(secret_folders, what_a_killed_writer_left_goes_with_the_next_write_or_removal) {
  needs_memory();
  Rig rig;
  cr_assert(rig.folders.write("web-1", token("one")).ok());
  const std::string left = rig.base + "/web-1~";

  write(left, "half a sec");
  cr_expect(rig.folders.list().value() == std::vector<std::string>{"web-1"});
  cr_expect(rig.folders.write("web-1", token("one")).ok());
  cr_expect(!seen(left));
  write(left, "half a sec");
  cr_expect(rig.folders.remove("web-1").ok());
  cr_expect(::access(rig.base.c_str(), F_OK) != 0, "something is left behind");
}

Test(secret_folders, whatever_lies_in_a_folder_is_replaced_or_removed_and_no_link_is_followed) {
  needs_memory();
  Rig rig;
  const TempFolder elsewhere;
  write(elsewhere / "token", "not ours");
  cr_assert(rig.folders.write("web-1", {}).ok());
  const std::string folder = rig.base + "/web-1";
  cr_assert(::symlink((elsewhere / "token").c_str(), (folder + "/token").c_str()) == 0);
  cr_assert(::symlink(elsewhere.path().c_str(), (folder + "/link").c_str()) == 0);
  cr_assert(fs::create_directories(folder + "/a/b"));

  cr_expect(rig.folders.write("web-1", token("one")).ok());

  cr_expect(names_in(folder) == std::vector<std::string>{"token"});
  cr_expect(contents(folder + "/token") == "one");
  cr_expect(contents(elsewhere / "token") == "not ours");
}

Test(secret_folders, a_folder_that_others_can_reach_is_not_used) {
  needs_memory();
  Rig rig;
  const TempFolder elsewhere;
  cr_assert(fs::create_directory(elsewhere / "web-1"));
  const auto is_refused = [&](const std::string& part) {
    is_broken(rig.folders.write("web-1", token("one")), part);
    is_broken(rig.folders.remove("web-1"), part);
    cr_expect(!rig.folders.list().ok());
  };

  cr_assert(::symlink(elsewhere.path().c_str(), rig.base.c_str()) == 0);
  is_refused(rig.base);
  cr_assert(::unlink(rig.base.c_str()) == 0 && ::mkdir(rig.base.c_str(), 0700) == 0);
  cr_assert(::chmod(rig.base.c_str(), 0750) == 0);
  is_refused("open to other users");
  if (is_root()) {
    cr_assert(::chmod(rig.base.c_str(), 0700) == 0 && ::chown(rig.base.c_str(), 1234, 0) == 0);
    is_refused("open to other users");
  }

  cr_expect(names_in(elsewhere.path()) == std::vector<std::string>{"web-1"});
}

Test(secret_folders, the_first_place_in_memory_is_used_unless_the_folder_is_in_another_already) {
  needs_memory();
  Rig rig;
  const TempFolder place;
  mount_memory(place.path(), 0, "mode=0755");
  MemoryFolders both(rig.home.path(), {"/proc", place.path(), kPlace});
  cr_expect(both.path("web-1").value().starts_with(place.path() + "/"));

  cr_assert(rig.folders.write("web-1", token("one")).ok());
  cr_expect(both.path("web-1").value() == rig.base + "/web-1");
}

Test(secret_folders, without_memory_it_says_what_to_do) {
  const TempFolder home;
  MemoryFolders folders(home.path(), {"/proc", "/no/such/place"});

  is_broken(folders.write("web-1", token("one")), "none of /proc, /no/such/place is a tmpfs");
  is_broken(folders.remove("web-1"), "none of");
  cr_expect(!folders.list().ok() && !folders.path("web-1").ok());
  cr_expect(!MemoryFolders("/no/such/home", {kPlace}).path("web-1").ok());
}

Test(secret_folders, the_service_managers_folder_comes_first) {
  const std::pair<const char*, std::vector<std::string>> cases[] = {
      {"/run/rowlock", {"/run/rowlock", "/run", "/dev/shm"}},
      {"/run/a:/run/b", {"/run/a", "/run", "/dev/shm"}},
      {"", {"/run", "/dev/shm"}},
  };
  for (const auto& [value, places] : cases) {
    ::setenv("RUNTIME_DIRECTORY", value, 1);
    cr_expect(memory_places() == places, "with %s", value);
  }
}

Test(secret_folders, without_room_the_old_file_stays_and_it_may_be_tried_again) {
  const TempFolder home;
  const TempFolder place;
  mount_memory(place.path(), 0, "size=64k,mode=0755");
  MemoryFolders folders(home.path(), {place.path()});
  cr_assert(folders.write("web-1", token("one")).ok());

  const Result<> written = folders.write("web-1", token(std::string(100'000, 'x')));

  cr_assert(!written.ok());
  cr_expect(written.error().fault == Fault::transient && !written.error().hint.empty(), "%s",
            written.error().message.c_str());
  const std::string base = place / secret_home_name(home.path()).value();
  cr_expect(contents(base + "/web-1/token") == "one");
  cr_expect(names_in(base) == std::vector<std::string>{"web-1"});
}

Test(secret_folders, only_root_gives_files_away) {
  needs_memory();
  const TempFolder home;
  cr_assert(::chmod(home.path().c_str(), 0755) == 0);
  if (is_root()) cr_assert(::setegid(kNobody) == 0 && ::seteuid(kNobody) == 0);
  MemoryFolders folders(home.path(), {kPlace});
  const std::string base = std::string(kPlace) + "/" + secret_home_name(home.path()).value();

  const Result<> own = folders.write("web-1", token("one"));
  const Result<> foreign = folders.write("web-1", token("one", 1234));
  const std::optional<SeenSecret> kept = seen(base + "/web-1/token");
  fs::remove_all(base);
  if (is_root()) cr_assert(::seteuid(0) == 0);

  cr_expect(own.ok(), "%s", own.ok() ? "" : own.error().message.c_str());
  is_broken(foreign, "only root may give a file to user 1234");
  cr_expect(kept && kept->content == "one");
}

Test(secret_folders, the_launcher_is_put_into_the_home_and_put_right) {
  const TempFolder home;
  MemoryFolders folders(home.path(), {});
  const std::string path = folders.launcher().value();
  const auto is_whole = [&] {
    return contents(path) == embedded_launcher() && mode_of(path) == 0755;
  };

  cr_expect(path.starts_with(home.path() + "/launch/launch-"), "%s", path.c_str());
  cr_expect(is_whole());
  write(path, "damaged");
  cr_expect(folders.launcher().value() == path && is_whole());
  cr_assert(::chmod(path.c_str(), 0644) == 0);
  cr_expect(folders.launcher().value() == path && is_whole());
  cr_expect_eq(names_in(home / "launch").size(), 1u);
}

Test(secret_folders, a_home_from_which_nothing_may_run_says_so) {
  const TempFolder home;
  mount_memory(home.path(), MS_NOEXEC, "mode=0755");

  const Result<std::string> launcher = MemoryFolders(home.path(), {}).launcher();

  cr_assert(!launcher.ok());
  cr_expect(launcher.error().fault == Fault::broken && !launcher.error().hint.empty());
  cr_expect(launcher.error().message.find("noexec") != std::string::npos);
}
