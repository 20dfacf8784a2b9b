// By SQLite's own backup interface (https://www.sqlite.org/c3ref/backup_finish.html), and not by
// VACUUM INTO: that numbers the rows of some tables anew, and the copy is to be the same database.
#include "controller/store/database_copy.h"

#include "controller/store/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <thread>
#include <unistd.h>
#include <utility>

namespace rowlock {
namespace {

constexpr int kStepPages = 256;  // 1 MiB, for which writers may be kept out for a moment.
constexpr int kRestartsMax = 20;
// Beside a writer that never rests a reader can find the file locked, or a journal that it must not
// roll back, again and again.
constexpr int kAttemptsMax = 3;
constexpr auto kPause = std::chrono::milliseconds(20);

struct EndBackup {
  void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
};

Error failure(const std::string& path, sqlite3* handle, int code) {
  const int kind = code & 0xff;
  const bool is_passing =
      kind == SQLITE_BUSY || kind == SQLITE_LOCKED || kind == SQLITE_FULL || kind == SQLITE_IOERR;
  const char* said = handle != nullptr && sqlite3_errcode(handle) == code ? sqlite3_errmsg(handle)
                                                                          : sqlite3_errstr(code);
  const char* hint = "";
  if (kind == SQLITE_BUSY || kind == SQLITE_LOCKED) {
    hint = "another program is writing to it: end its transaction, or try again";
  } else if (kind == SQLITE_FULL) {
    hint = "a copy needs as much room as the database: make room";
  } else if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB) {
    hint = "the file is damaged: put back a backup of it";
  }
  return Error{is_passing ? Fault::transient : Fault::broken, Cause::other,
               fmt::format("copy {}: {}", path, said), hint};
}

// The steps until all of it is copied. Requires: in WAL mode, a transaction that has begun to read.
Result<> copy_pages(const std::string& path, sqlite3_backup* backup, sqlite3* to,
                    const std::atomic<bool>& ending) {
  int code = SQLITE_OK;
  int restarts = 0;
  int left = 0;
  while (code == SQLITE_OK) {
    if (ending) {
      return Error{Fault::transient, Cause::other,
                   fmt::format("copy {}: broken off, since Rowlock is ending", path), ""};
    }
    code = sqlite3_backup_step(backup, restarts < kRestartsMax ? kStepPages : -1);
    const int left_now = sqlite3_backup_remaining(backup);
    if (left > 0 && left_now > left) ++restarts;
    left = left_now;
  }
  return code == SQLITE_DONE ? Result<>(Done{}) : failure(path, to, code);
}

Result<> copy_into(const std::string& path, Database& from, Database& to,
                   const std::atomic<bool>& ending) {
  const auto mode = TRY(from.scalar("PRAGMA journal_mode"));
  if (text_of(mode) == "wal") {
    TRY(from.run("BEGIN; SELECT count(*) FROM sqlite_schema"));
  }
  // Nothing to roll back to, nothing to lose: a copy that fails is thrown away.
  TRY(to.run("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF"));
  const std::unique_ptr<sqlite3_backup, EndBackup> backup(
      sqlite3_backup_init(to.handle(), "main", from.handle(), "main"));
  if (backup == nullptr) return failure(path, to.handle(), sqlite3_errcode(to.handle()));
  return copy_pages(path, backup.get(), to.handle(), ending);
}

}  // namespace

DatabaseCopy& DatabaseCopy::operator=(DatabaseCopy&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

DatabaseCopy::~DatabaseCopy() {
  if (fd_ >= 0) ::close(fd_);
}

Result<DatabaseCopy> DatabaseCopy::of(const std::string& path, const std::string& folder,
                                      const std::atomic<bool>& ending) {
  auto copy = attempt(path, folder, ending);
  for (int i = 1; i < kAttemptsMax && !copy.ok() && !ending; ++i) {
    if (copy.error().cause != Cause::other) break;
    std::this_thread::sleep_for(kPause);
    copy = attempt(path, folder, ending);
  }
  return copy;
}

Result<DatabaseCopy> DatabaseCopy::attempt(const std::string& path, const std::string& folder,
                                           const std::atomic<bool>& ending) {
  Database source = TRY(Database::open(path, Database::Mode::read_only));
  std::string name = folder + "/.copy-XXXXXX";
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);  // Of mode 0600.
  if (fd < 0) {
    return Error{errno == ENOSPC ? Fault::transient : Fault::broken, Cause::other,
                 fmt::format("make a file in {}: {}", folder, std::strerror(errno)),
                 "this user must be able to write there"};
  }
  DatabaseCopy copy(fd);
  auto to = Database::open(name, Database::Mode::read_write);
  ::unlink(name.c_str());  // SQLite has it open; however this ends, nothing stays behind.
  if (!to.ok()) return to.error();
  Database target = std::move(to).value();
  TRY(copy_into(path, source, target, ending));
  return copy;
}

}  // namespace rowlock
