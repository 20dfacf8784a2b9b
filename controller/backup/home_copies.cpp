// A database is copied to the disk first and sent from there: to where it goes, a slow store
// perhaps, it may take longer than anybody should hold a database open.
#include "controller/backup/home_copies.h"

#include "controller/backup/unpack_home.h"
#include "controller/store/database.h"
#include "controller/store/database_copy.h"
#include "controller/store/home.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace rowlock {
namespace {

constexpr std::size_t kBlockBytes = 128 * 1024;

struct ClosedLater {
  int fd;
  ~ClosedLater() { ::close(fd); }
};

Error unreadable(const std::string& name, int code) {
  return Error{Fault::broken, Cause::other, fmt::format("copy {}: {}", name, std::strerror(code)),
               ""};
}

// From its beginning to the end that it has now.
Result<> send(int fd, const std::string& name, MemberWriter& members,
              const std::atomic<bool>& ending) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return unreadable(name, errno);
  if (auto begun = members.begin(name, found.st_size); !begun.ok()) return begun;
  std::string block(kBlockBytes, '\0');
  off_t at = 0;
  while (at < found.st_size) {
    if (ending) {
      return Error{Fault::transient, Cause::other,
                   fmt::format("copy {}: broken off, since Rowlock is ending", name), ""};
    }
    const ssize_t count = ::pread(fd, block.data(), block.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(name, errno);
    if (count == 0) break;  // end() says that it shrank.
    at += count;
    const std::string_view bytes(block.data(), static_cast<std::size_t>(count));
    if (auto written = members.write(bytes); !written.ok()) return written;
  }
  return members.end();
}

// Every page of it, and that it is one of Rowlock's.
Result<> expect_whole(const std::string& path, const std::string& name) {
  auto opened = Database::open(path, Database::Mode::read_write);
  if (!opened.ok()) {
    return Error{Fault::rejected, Cause::corrupt, name + ": " + opened.error().message, ""};
  }
  Database database = std::move(opened).value();
  auto checked = database.scalar("PRAGMA integrity_check");
  auto id = database.scalar("PRAGMA application_id");
  const std::string said = checked.ok() ? text_of(checked.value()) : checked.error().message;
  if (said != "ok" || !id.ok() || text_of(id.value()) != std::to_string(kApplicationId)) {
    return Error{Fault::rejected, Cause::corrupt,
                 said != "ok" ? fmt::format("{} is damaged: {}", name, said)
                              : name + " is no database of Rowlock",
                 ""};
  }
  return Done{};
}

}  // namespace

// Beside the home, where there is room for one; what an earlier try left is taken away first.
Result<> FolderCopies::try_out(BackupFileReader& backup) {
  const std::string scratch = folder_ + "/backup.try";
  std::error_code failed;
  std::filesystem::remove_all(scratch, failed);
  auto tried = unpack_home(backup, scratch);
  const Home home(scratch);
  if (tried.ok()) tried = expect_whole(home.desired_path(), "desired.db");
  if (tried.ok()) tried = expect_whole(home.state_path(), "state.db");
  std::filesystem::remove_all(scratch, failed);
  return tried;
}

Result<> FolderCopies::copy(MemberWriter& members, const std::atomic<bool>& ending) {
  const Home home(folder_);
  for (const auto& [path, name] :
       {std::pair(home.desired_path(), "desired.db"), std::pair(home.state_path(), "state.db")}) {
    const auto copy = TRY(DatabaseCopy::of(path, folder_, ending));
    if (auto sent = send(copy.fd(), name, members, ending); !sent.ok()) return sent;
  }
  const int fd = ::open(home.unseal_age_path().c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return Done{};
  if (fd < 0) return unreadable(home.unseal_age_path(), errno);
  const ClosedLater closed{fd};
  return send(fd, "unseal.age", members, ending);
}

}  // namespace rowlock
