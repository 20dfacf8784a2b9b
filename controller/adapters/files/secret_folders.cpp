// The order is what protects the values: a file gets its owner and mode while it is empty and lies
// beside the folder, then its bytes, and only then its name inside.
#include "controller/adapters/files/secret_folders.h"

#include "controller/adapters/files/launcher_file.h"
#include "controller/adapters/files/secret_names.h"
#include "controller/base/open_file.h"
#include "controller/launcher/launcher.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <linux/magic.h>
#include <set>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace rowlock {

namespace {

namespace fs = std::filesystem;

constexpr mode_t kOursOnly = 0700;
constexpr mode_t kSeenInside = 0755;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr char kBeingWritten[] = "~";  // After the folder's name; no name of a folder has it.
constexpr char kRoomHint[] =
    "free memory on this machine, or give its tmpfs more: mount -o remount,size=… with /run or "
    "/dev/shm";

// Statfs's numbers for file systems that live in memory and nowhere else.
bool is_memory(const std::string& place) {
  struct statfs found {};
  return ::statfs(place.c_str(), &found) == 0 &&
         (found.f_type == TMPFS_MAGIC || found.f_type == RAMFS_MAGIC);
}

bool is_usable(const std::string& place) {
  return is_memory(place) && ::faccessat(AT_FDCWD, place.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
}

std::string attempt_on(const std::string& folder, const std::string& what) {
  return "secret folder " + folder + ": " + what;
}

// The home's folder in memory; Cause::not_found when there is none. Somebody else may have been
// there first, in a place where everyone may make folders: what is not ours alone is never used.
// What is, nobody else can change or replace, so that afterwards its path may be used as well.
Result<OpenFile> open_base(const std::string& path) {
  OpenFile base(::open(path.c_str(), kFolderFlags));
  struct stat found {};
  if (!base.is_open() || ::fstat(base.fd(), &found) != 0) {
    Error error = file_error("open the folder " + path + " for secrets", errno,
                             "remove " + path + ": Rowlock makes it anew");
    if (errno == ENOENT) error.cause = Cause::not_found;
    return error;
  }
  if (found.st_uid != ::geteuid() || (found.st_mode & 077) != 0) {
    return Error{Fault::broken, Cause::other,
                 "the folder " + path + " for secrets is open to other users of this machine",
                 "find out who made it, then remove it: Rowlock makes it anew"};
  }
  return base;
}

Result<OpenFile> make_base(const std::string& path) {
  if (::mkdir(path.c_str(), kOursOnly) != 0 && errno != EEXIST) {
    return file_error("make the folder " + path + " for secrets", errno, kRoomHint);
  }
  return open_base(path);
}

Result<OpenFile> make_folder(const OpenFile& base, const std::string& folder) {
  const std::string attempt = attempt_on(folder, "make it");
  if (::mkdirat(base.fd(), folder.c_str(), kOursOnly) != 0 && errno != EEXIST) {
    return file_error(attempt, errno, kRoomHint);
  }
  OpenFile made(::openat(base.fd(), folder.c_str(), kFolderFlags));
  if (!made.is_open() || ::fchmod(made.fd(), kSeenInside) != 0) return file_error(attempt, errno);
  return made;
}

// Then it is left alone: who watches the file has nothing to look at.
bool is_there_already(const OpenFile& folder, const SecretFile& file) {
  const OpenFile there(
      ::openat(folder.fd(), file.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat found {};
  return there.is_open() && ::fstat(there.fd(), &found) == 0 && S_ISREG(found.st_mode) &&
         (found.st_mode & 07777) == static_cast<mode_t>(file.mode) &&
         found.st_uid == static_cast<uid_t>(file.user) &&
         found.st_gid == static_cast<gid_t>(file.group) && holds(there, file.content.view());
}

// Before anything is in it, so that nobody else can ever have opened it.
Result<> give_away(const OpenFile& staged, const std::string& attempt, const SecretFile& file) {
  const auto user = static_cast<uid_t>(file.user);
  const auto group = static_cast<gid_t>(file.group);
  if (::fchown(staged.fd(), user, group) == 0) return Done{};
  if (errno != EPERM) return file_error(attempt, errno, kRoomHint);
  return Error{Fault::broken, Cause::other,
               attempt + ": only root may give a file to user " + std::to_string(file.user) +
                   " and group " + std::to_string(file.group),
               "run Rowlock as root"};
}

// Beside the folder until it is whole, then in it in one step.
Result<> write_file(const OpenFile& base, const std::string& folder_name, const OpenFile& folder,
                    const SecretFile& file) {
  const std::string attempt = attempt_on(folder_name, "write " + file.name);
  const std::string staged_name = folder_name + kBeingWritten;
  const OpenFile staged(::openat(base.fd(), staged_name.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0));
  if (!staged.is_open()) return file_error(attempt, errno, kRoomHint);
  Result<> done = give_away(staged, attempt, file);
  if (done.ok()) done = write_all(staged, attempt, file.content.view());
  if (done.ok() && (::fchmod(staged.fd(), static_cast<mode_t>(file.mode)) != 0 ||
                    ::renameat(base.fd(), staged_name.c_str(), folder.fd(), file.name.c_str()))) {
    done = file_error(attempt, errno);
  }
  if (done.ok()) return done;
  ::unlinkat(base.fd(), staged_name.c_str(), 0);
  Error error = done.error();
  if (error.hint.empty() && error.fault == Fault::transient) error.hint = kRoomHint;
  return error;
}

// Whatever somebody may have put there; links are removed, not followed.
Result<> remove_all(const std::string& folder, const std::string& path) {
  std::error_code failed;
  fs::remove_all(path, failed);
  if (!failed) return Done{};
  return file_error(attempt_on(folder, "remove " + path), failed.value());
}

Result<std::vector<std::string>> names_in(const std::string& path) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator it(path, failed), end; !failed && it != end; it.increment(failed)) {
    names.push_back(it->path().filename().string());
  }
  if (failed && failed.value() != ENOENT) {
    return file_error("list the folder " + path, failed.value());
  }
  return names;
}

Result<> remove_others(const std::string& folder, const std::string& path,
                       const std::vector<SecretFile>& files) {
  std::set<std::string> wanted;
  for (const SecretFile& file : files) wanted.insert(file.name);
  const Result<std::vector<std::string>> names = names_in(path);
  if (!names.ok()) return names.error();
  for (const std::string& name : names.value()) {
    if (wanted.contains(name)) continue;
    if (auto removed = remove_all(folder, path + "/" + name); !removed.ok()) return removed;
  }
  return Done{};
}

Result<std::string> real_path(const std::string& home) {
  std::error_code failed;
  const fs::path real = fs::canonical(home, failed);
  if (failed) return file_error("find the home " + home, failed.value());
  return real.string();
}

}  // namespace

std::vector<std::string> memory_places() {
  std::vector<std::string> places;
  const char* const given = std::getenv("RUNTIME_DIRECTORY");  // A list, separated by colons.
  if (given != nullptr && *given == '/') places.emplace_back(given, std::strcspn(given, ":"));
  places.insert(places.end(), {"/run", "/dev/shm"});
  return places;
}

Result<std::string> secret_home_name(const std::string& home) {
  const Result<std::string> real = real_path(home);
  if (!real.ok()) return real;
  return "rowlock-" + fnv_hex(real.value());
}

// Where it is already, if it is anywhere: containers have it mounted from there, whatever the
// environment was then.
Result<std::string> MemoryFolders::base() {
  const Result<std::string> name = secret_home_name(home_);
  if (!name.ok()) return name;
  std::string best;
  for (const std::string& place : places_) {
    if (!is_usable(place)) continue;
    std::string path = place + "/" + name.value();
    struct stat found {};
    const bool is_ours = ::lstat(path.c_str(), &found) == 0 && found.st_uid == ::geteuid();
    if (is_ours) return path;
    if (best.empty()) best = std::move(path);
  }
  if (!best.empty()) return best;
  std::string all;
  for (const std::string& place : places_) all += (all.empty() ? "" : ", ") + place;
  return Error{Fault::broken, Cause::other,
               "this machine has no memory to keep secrets in: none of " + all +
                   " is a tmpfs that Rowlock may write to",
               "mount one: mount -t tmpfs -o mode=0755 tmpfs /run, or run Rowlock as root"};
}

Result<> MemoryFolders::write(const std::string& folder, const std::vector<SecretFile>& files) {
  if (auto good = check_secret_files(folder, files); !good.ok()) return good;
  const std::lock_guard lock(mutex_);
  const Result<std::string> path = base();
  if (!path.ok()) return path.error();
  const Result<OpenFile> base_folder = make_base(path.value());
  if (!base_folder.ok()) return base_folder.error();
  const Result<OpenFile> made = make_folder(base_folder.value(), folder);
  if (!made.ok()) return made.error();
  // Of a writer that was killed.
  ::unlinkat(base_folder.value().fd(), (folder + kBeingWritten).c_str(), 0);
  for (const SecretFile& file : files) {
    if (is_there_already(made.value(), file)) continue;
    auto done = write_file(base_folder.value(), folder, made.value(), file);
    if (!done.ok()) return done;
  }
  return remove_others(folder, path.value() + "/" + folder, files);
}

Result<> MemoryFolders::put(const std::string& folder, const SecretFile& file) {
  if (auto good = check_secret_file(folder, file); !good.ok()) return good;
  const std::lock_guard lock(mutex_);
  const Result<std::string> path = base();
  if (!path.ok()) return path.error();
  const Result<OpenFile> base_folder = open_base(path.value());
  if (!base_folder.ok()) return base_folder.error();
  const OpenFile there(::openat(base_folder.value().fd(), folder.c_str(), kFolderFlags));
  if (!there.is_open()) {
    Error error = file_error(attempt_on(folder, "write " + file.name), errno);
    if (errno == ENOENT) error.cause = Cause::not_found;
    return error;
  }
  ::unlinkat(base_folder.value().fd(), (folder + kBeingWritten).c_str(), 0);
  return is_there_already(there, file) ? Result<>(Done{})
                                       : write_file(base_folder.value(), folder, there, file);
}

Result<> MemoryFolders::remove(const std::string& folder) {
  if (auto good = check_secret_folder(folder); !good.ok()) return good;
  const std::lock_guard lock(mutex_);
  const Result<std::string> path = base();
  if (!path.ok()) return path.error();
  const Result<OpenFile> base_folder = open_base(path.value());
  if (!base_folder.ok()) {
    if (base_folder.error().cause == Cause::not_found) return Done{};
    return base_folder.error();
  }
  const std::string whole = path.value() + "/" + folder;
  if (auto staged = remove_all(folder, whole + kBeingWritten); !staged.ok()) return staged;
  auto removed = remove_all(folder, whole);
  ::rmdir(path.value().c_str());  // The last one leaves nothing behind.
  return removed;
}

Result<std::vector<std::string>> MemoryFolders::list() {
  const Result<std::string> path = base();
  if (!path.ok()) return path.error();
  const Result<OpenFile> base_folder = open_base(path.value());
  if (!base_folder.ok()) {
    if (base_folder.error().cause == Cause::not_found) return std::vector<std::string>();
    return base_folder.error();
  }
  const Result<std::vector<std::string>> names = names_in(path.value());
  if (!names.ok()) return names;
  std::set<std::string> folders;
  for (const std::string& name : names.value()) {
    if (is_secret_folder_name(name)) folders.insert(name);
  }
  return std::vector<std::string>(folders.begin(), folders.end());
}

Result<std::string> MemoryFolders::path(const std::string& folder) {
  TRY(check_secret_folder(folder));
  const Result<std::string> path = base();
  if (!path.ok()) return path;
  return path.value() + "/" + folder;
}

Result<std::string> MemoryFolders::launcher() {
  const Result<std::string> home = real_path(home_);
  if (!home.ok()) return home;
  return launcher_file(home.value(), embedded_launcher());
}

}  // namespace rowlock
