// Every file is filled under a name with ".unfinished" and linked to its own when all are whole;
// desired.db comes last, since it is what makes a folder look like a home.
#include "controller/backup/unpack_home.h"

#include "controller/store/home.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace rowlock {
namespace {

constexpr mode_t kFolderMode = 0770;
constexpr char kUnfinished[] = ".unfinished";

// A file that a home has, with its mode when `init` makes it.
struct HomeFile {
  const char* name;
  mode_t mode;
  bool is_needed;
};
constexpr HomeFile kFiles[] = {
    {"desired.db", 0660, true}, {"state.db", 0640, true}, {"unseal.age", 0600, false}};

// What a database may have beside it. SQLite would take an old one for its own.
constexpr const char* kCompanions[] = {"-wal", "-shm", "-journal"};

Error failure(const std::string& attempt, int code) {
  const bool no_room = code == ENOSPC || code == EDQUOT;
  return Error{no_room ? Fault::transient : Fault::rejected, Cause::other,
               fmt::format("{}: {}", attempt, std::strerror(code)),
               no_room ? "make room" : "this user must be able to write there"};
}

Error refusal(std::string message, std::string hint) {
  return Error{Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

bool exists(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0;
}

// The folder as it is filled. Unless it is kept, what it has got is taken away again.
class NewHome {
 public:
  explicit NewHome(std::string folder) : folder_(std::move(folder)) {}
  NewHome(const NewHome&) = delete;
  NewHome& operator=(const NewHome&) = delete;
  ~NewHome() {
    close_file();
    if (is_kept_) return;
    for (const std::string& path : made_) ::unlink(path.c_str());
    if (is_folder_made_) ::rmdir(folder_.c_str());
  }

  Result<> prepare() {
    is_folder_made_ = ::mkdir(folder_.c_str(), kFolderMode) == 0;
    if (!is_folder_made_ && errno != EEXIST) {
      return failure("cannot make the folder " + folder_, errno);
    }
    if (is_folder_made_) ::chmod(folder_.c_str(), kFolderMode);  // Whatever the umask says.
    if (auto safe = Home(folder_).check_file_system(); !safe.ok()) return safe;
    for (const HomeFile& file : kFiles) {
      if (auto free = check_free(path_of(file.name)); !free.ok()) return free;
      for (const char* companion : kCompanions) {
        if (auto free = check_free(path_of(file.name) + companion); !free.ok()) return free;
      }
    }
    return Done{};
  }

  // Takes the whole of the member that the backup is at.
  Result<> take(BackupFileReader& backup, const HomeFile& file) {
    const std::string path = path_of(file.name) + kUnfinished;
    ::unlink(path.c_str());  // Of a machine that went down in the middle.
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd_ < 0) return failure("cannot make " + path, errno);
    made_.push_back(path);
    taken_.push_back(&file);
    while (true) {
      const auto bytes = TRY(backup.read());
      if (bytes.empty()) break;
      if (auto written = write(path, bytes); !written.ok()) return written;
    }
    if (::fchmod(fd_, file.mode) != 0 || ::fsync(fd_) != 0) {
      return failure("cannot write " + path, errno);
    }
    close_file();
    return Done{};
  }

  bool has(const HomeFile& file) const {
    return std::find(taken_.begin(), taken_.end(), &file) != taken_.end();
  }

  // Gives every file its name; desired.db last: with that one alone, `init` would make another home
  // of it.
  Result<> keep() {
    std::reverse(taken_.begin(), taken_.end());
    for (const HomeFile* file : taken_) {
      const std::string path = path_of(file->name);
      // A link, unlike a rename, harms no file that has come to be there meanwhile.
      if (::link((path + kUnfinished).c_str(), path.c_str()) != 0) {
        return failure("cannot make " + path, errno);
      }
      made_.push_back(path);
    }
    const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_synced = folder >= 0 && ::fsync(folder) == 0;
    const int code = errno;
    if (folder >= 0) ::close(folder);
    if (!is_synced) return failure("cannot write the folder " + folder_, code);
    is_kept_ = true;
    for (const HomeFile* file : taken_) ::unlink((path_of(file->name) + kUnfinished).c_str());
    return Done{};
  }

 private:
  std::string path_of(const std::string& name) const { return folder_ + "/" + name; }

  Result<> check_free(const std::string& path) const {
    if (!exists(path)) return Done{};
    return refusal(fmt::format("{} is there already: a backup is not unpacked over a home", path),
                   "choose another folder, or move what is there away");
  }

  Result<> write(const std::string& path, std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return failure("cannot write " + path, errno);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return Done{};
  }

  void close_file() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  std::string folder_;
  bool is_folder_made_ = false;
  bool is_kept_ = false;
  int fd_ = -1;
  std::vector<std::string> made_;
  std::vector<const HomeFile*> taken_;  // In the order of kFiles, as the backup has them.
};

}  // namespace

Result<> unpack_home(BackupFileReader& backup, const std::string& folder) {
  if (backup.header().kind != "home") {
    return refusal(fmt::format("backup {} is one of the database {}, not of a home",
                               backup.header().id, backup.header().source),
                   "restore it with `rowlock restore`");
  }
  NewHome home(folder);
  if (auto prepared = home.prepare(); !prepared.ok()) return prepared;
  while (true) {
    const auto name = TRY(backup.next());
    if (name.empty()) break;
    const auto* file = std::find_if(std::begin(kFiles), std::end(kFiles),
                                    [&](const HomeFile& each) { return each.name == name; });
    if (file == std::end(kFiles)) {
      return refusal("the backup has a member that no home has: " + name,
                     "use the newer rowlock that made it");
    }
    if (auto taken = home.take(backup, *file); !taken.ok()) return taken;
  }
  for (const HomeFile& file : kFiles) {
    if (file.is_needed && !home.has(file)) {
      return refusal(fmt::format("the backup has no {}", file.name), "");
    }
  }
  return home.keep();
}

}  // namespace rowlock
