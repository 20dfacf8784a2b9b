// The lock belongs to the open file and goes when the process does, whatever ended it; what is
// written in it is for people and decides nothing.
#include "controller/store/home.h"

#include "controller/base/time.h"
#include "controller/store/brake.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace rowlock {

namespace {

constexpr mode_t kFolderMode = 0770;  // The engineer joins the group to edit; nobody else looks in.
constexpr mode_t kDesiredMode = 0660;
constexpr mode_t kStateMode = 0640;

// File systems on which shared memory or locks do not do what WAL needs.
struct UnsafeFileSystem {
  long magic;
  const char* name;
};
constexpr UnsafeFileSystem kUnsafe[] = {
    {FUSE_SUPER_MAGIC, "FUSE or virtiofs"},
    {V9FS_MAGIC, "9p"},
    {NFS_SUPER_MAGIC, "NFS"},
    {SMB_SUPER_MAGIC, "SMB"},
    {CIFS_SUPER_MAGIC, "SMB"},
    {SMB2_SUPER_MAGIC, "SMB"},
};

// A lock that belongs to the open file and not to the process, so that asking who holds it takes
// nothing: a controller that starts in that moment is not turned away.
struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

bool exists(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0;
}

Result<std::int64_t> pragma(Database& database, const std::string& name) {
  const auto value = TRY(database.scalar("PRAGMA " + name));
  const auto* number = std::get_if<std::int64_t>(&value);
  return number != nullptr ? *number : 0;
}

Result<> create_desired(const Home& home, const Schema& schema) {
  Database desired = TRY(Database::open(home.desired_path(), Database::Mode::create));
  TRY(desired.query("PRAGMA journal_mode=WAL"));
  std::string script =
      fmt::format("BEGIN IMMEDIATE; PRAGMA application_id={}; PRAGMA user_version={};\n",
                  kApplicationId, kDesiredVersion);
  for (const TableText& table : schema.desired_tables()) {
    script += table.sql;
  }
  script += schema.guard() + schema.first() + "COMMIT;";
  TRY(desired.run(script));
  chmod(home.desired_path().c_str(), kDesiredMode);
  return Done{};
}

bool is_empty(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 && found.st_size == 0;
}

// Whether it says whose home it is. SQLite would throw away the -wal of an empty file, so that one
// is not opened.
bool knows_its_home(const std::string& path) {
  if (!exists(path) || is_empty(path)) return false;
  auto opened = Database::open(path, Database::Mode::read_only);
  if (!opened.ok()) return true;
  Database state = std::move(opened).value();
  const auto version = pragma(state, "user_version");
  if (!version.ok()) return true;
  const auto id = state.scalar("SELECT id FROM home");
  return version.value() > 0 && (!id.ok() || !text_of(id.value()).empty());
}

Error lost_state(const Home& home) {
  return Error{
      Fault::rejected, Cause::corrupt,
      fmt::format("{} is {}, and this is no new home: with another id everything would be started "
                  "a second time, and secrets and history are gone with the file",
                  home.state_path(), exists(home.state_path()) ? "empty" : "not there"),
      fmt::format("put state.db back from a copy, or move {0} away and make it again from a backup "
                  "with `rowlock recover --home {0}`, or begin anew with `rowlock init --new-id "
                  "--home {0}`: what runs then goes on as nobody's (`docker ps -a --filter "
                  "label=rowlock.home`), so remove it first",
                  home.folder())};
}

}  // namespace

// A path as SQLite takes it in a URI: https://www.sqlite.org/uri.html
std::string read_only_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char letter : path) {
    const bool has_a_meaning = letter == '%' || letter == '?' || letter == '#';
    uri += has_a_meaning ? fmt::format("%{:02x}", static_cast<unsigned char>(letter))
                         : std::string(1, letter);
  }
  return uri + "?mode=ro";
}

Home Home::at(const std::string& given) {
  if (!given.empty()) {
    return Home(given);
  }
  const char* named = std::getenv("ROWLOCK_HOME");
  return Home(named != nullptr && *named != '\0' ? named : "/var/lib/rowlock");
}

Result<> Home::check_state() const {
  if (knows_its_home(state_path())) return Done{};
  // The lock's file stays for good where a controller has run.
  if (exists(desired_path()) || exists(lock_path())) return lost_state(*this);
  return Error{Fault::rejected, Cause::not_found, fmt::format("there is no home in {}", folder_),
               fmt::format("make one with `rowlock init --home {}`, or name another with --home or "
                           "ROWLOCK_HOME",
                           folder_)};
}

Result<> Home::create(const Schema& schema, std::int64_t now_ms, bool has_new_id) const {
  const auto checked = check_state();
  if (checked.ok() && exists(desired_path())) {
    return Error{Fault::rejected, Cause::other, fmt::format("{} is a home already", folder_),
                 fmt::format("look at it with `rowlock status --home {}`, or choose another folder",
                             folder_)};
  }
  if (!checked.ok() && checked.error().cause == Cause::corrupt) {
    if (!has_new_id) return checked;
    if (const std::string holder = HomeLock::holder(*this); !holder.empty()) {
      return Error{Fault::rejected, Cause::other,
                   fmt::format("a controller still runs on {}: {}", folder_, holder),
                   "stop it first"};
    }
  }
  if (mkdir(folder_.c_str(), kFolderMode) == 0) {
    chmod(folder_.c_str(), kFolderMode);  // Whatever the umask says.
  } else if (errno != EEXIST) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("cannot make the folder {}: {}", folder_, std::strerror(errno)),
                 "make its parent folder first, or run this as a user who may"};
  }
  TRY(check_file_system());
  TRY(keep_out_others());
  // First the one without which the other would look like a home that has lost it.
  TRY(open_state(state_path(), schema, now_ms));
  if (!exists(desired_path())) {
    TRY(create_desired(*this, schema));
  }
  return keep_out_others();
}

Result<> Home::keep_out_others() const {
  // SQLite gives -wal and -shm the mode of their database when it makes them; these are there.
  const std::pair<std::string, mode_t> kept[] = {{folder_, kFolderMode},
                                                 {desired_path(), kDesiredMode},
                                                 {desired_path() + "-wal", kDesiredMode},
                                                 {desired_path() + "-shm", kDesiredMode},
                                                 {state_path(), kStateMode},
                                                 {state_path() + "-wal", kStateMode},
                                                 {state_path() + "-shm", kStateMode}};
  for (const auto& [path, most] : kept) {
    struct stat found {};
    if (stat(path.c_str(), &found) != 0) continue;
    if ((found.st_mode & S_ISVTX) != 0 && (found.st_mode & S_IWOTH) != 0) {
      return Error{Fault::rejected, Cause::other,
                   fmt::format("{} is a folder that everybody shares", path),
                   "make the home in a folder of its own"};
    }
    const mode_t too_much = found.st_mode & 0777U & ~most;
    if (too_much == 0 || chmod(path.c_str(), found.st_mode & 07777U & ~too_much) == 0) continue;
    return Error{
        Fault::rejected, Cause::denied,
        fmt::format("{} is open to others (mode {:04o}), and this user may not change that", path,
                    found.st_mode & 07777U),
        fmt::format("chmod {:04o} {}", most, path)};
  }
  return Done{};
}

Result<> Home::check_file_system() const {
  struct statfs found {};
  if (statfs(folder_.c_str(), &found) != 0) {
    return Error{Fault::rejected, Cause::not_found,
                 fmt::format("{}: {}", folder_, std::strerror(errno)),
                 fmt::format("make a home there with `rowlock init --home {}`", folder_)};
  }
  for (const UnsafeFileSystem& unsafe : kUnsafe) {
    if (static_cast<unsigned int>(found.f_type) == static_cast<unsigned int>(unsafe.magic)) {
      return Error{
          Fault::rejected, Cause::other,
          fmt::format("{} is on {}, where SQLite's WAL loses data", folder_, unsafe.name),
          "put the home on a disk of the machine that runs Rowlock, and edit it there or over SSH"};
    }
  }
  return Done{};
}

Result<HomeLock> HomeLock::take(const Home& home, std::int64_t now_ms) {
  const int fd = ::open(home.lock_path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0660);
  if (fd < 0) {
    return Error{
        Fault::broken, Cause::other, fmt::format("{}: {}", home.lock_path(), std::strerror(errno)),
        errno == ENOENT ? fmt::format("make a home with `rowlock init --home {}`", home.folder())
                        : "this user must be able to write there"};
  }
  HomeLock lock(fd);
  struct flock whole = whole_file(F_WRLCK);
  if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("another controller runs on {}: {}", home.folder(), holder(home)),
                 "stop that one first; two controllers on one home would undo each other's work"};
  }
  const std::string text = fmt::format("process {}, since {}\n", getpid(), rfc3339(now_ms));
  const bool is_written = ftruncate(fd, 0) == 0 && pwrite(fd, text.data(), text.size(), 0) ==
                                                       static_cast<ssize_t>(text.size());
  if (!is_written && errno != ENOSPC && errno != EDQUOT) {  // For people; the lock is what counts.
    return Error{Fault::broken, Cause::other,
                 fmt::format("{}: {}", home.lock_path(), std::strerror(errno)),
                 "is the disk mounted read-only?"};
  }
  return lock;
}

std::string HomeLock::holder(const Home& home) {
  const int fd = ::open(home.lock_path().c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return "";
  }
  char text[200] = {};
  struct flock whole = whole_file(F_WRLCK);
  if (fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK) {
    const ssize_t size = pread(fd, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    if (text[0] == '\0') std::strcpy(text, "a process that could not write its name");
  }
  ::close(fd);
  std::string said(text);
  return said.substr(0, said.find('\n'));
}

std::string HomeLock::place() const {
  struct statx file {};
  if (statx(fd_, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &file) != 0) return "unknown";
  return fmt::format("{}-{}.{:09}", file.stx_ino, file.stx_btime.tv_sec, file.stx_btime.tv_nsec);
}

HomeLock::~HomeLock() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Result<Database> open_state_for_reading(const Home& home, const Schema& schema) {
  Database state = TRY(Database::open(home.state_path(), Database::Mode::read_only));
  const auto version = TRY(pragma(state, "user_version"));
  const auto ours = static_cast<std::int64_t>(schema.migrations().size());
  if (version != ours) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("{} has version {}, this rowlock reads version {}", home.state_path(),
                             version, ours),
                 version > ours
                     ? "use the newer rowlock that wrote it"
                     : "start `rowlock run` of this version once: it brings the file up to date"};
  }
  return state;
}

Result<Database> open_desired_for_editing(const Home& home) {
  Database desired = TRY(Database::open(home.desired_path(), Database::Mode::read_write));
  const auto version = TRY(pragma(desired, "user_version"));
  if (version > kDesiredVersion) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("{} has version {}, this rowlock knows up to {}", home.desired_path(),
                             version, kDesiredVersion),
                 "use the newer rowlock that wrote it"};
  }
  TRY(desired.query("PRAGMA wal_autocheckpoint=0"));
  return desired;
}

namespace {

// What refuses the edit at hand beside the rows that violate something: the brake. What was refused
// for other reasons stands as long as nothing more is edited here.
Result<std::string> refusal_view(Database& database, const Schema& schema) {
  std::string parts;
  for (const TableText& table : schema.desired_tables()) {
    const auto info = TRY(database.query(
        "SELECT name, pk FROM pragma_table_info(:table) ORDER BY cid", {{"table", table.name}}));
    std::vector<std::string> columns;
    std::vector<std::string> key;
    for (const Row& column : info) {
      columns.push_back(column.text("name"));
      if (column.integer("pk") > 0) key.push_back(column.text("name"));
    }
    if (columns.empty()) continue;
    parts += fmt::format(
        "SELECT table_name, row_key, message, (SELECT now_ms FROM clock) AS since_ms FROM ({})\n"
        "UNION ALL\n",
        brake_text(schema, table.name, columns, key,
                   {"state.", "main.", "(SELECT now_ms FROM clock)"}));
  }
  const auto edited = TRY(database.scalar("SELECT total_changes()"));
  return fmt::format(
      "CREATE TEMP VIEW refusal AS {}"
      "SELECT table_name, row_key, message, since_ms FROM state.refusal\n"
      "WHERE total_changes() = {} AND (table_name <> row_key OR table_name = 'desired.db')",
      parts, text_of(edited));
}

}  // namespace

Result<Database> open_for_what_if(const Home& home, const Schema& schema) {
  Database database = TRY(open_desired_for_editing(home));
  TRY(open_state_for_reading(home, schema));
  TRY(database.run("ATTACH :state AS state", {{"state", read_only_uri(home.state_path())}}));
  TRY(database.run(schema.views(true)));
  const auto refusal = TRY(refusal_view(database, schema));
  TRY(database.run(refusal));
  return database;
}

}  // namespace rowlock
