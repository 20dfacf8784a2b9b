// Each call opens the folder anew: a disk may have come or gone.
#include "controller/adapters/files/file_store.h"

#include "controller/adapters/files/file_store_folder.h"
#include "controller/adapters/files/file_upload.h"
#include "controller/adapters/object_key.h"
#include "controller/base/time.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace rowlock {

namespace {

constexpr char kProbe[] = "probe";
constexpr std::int64_t kMsPerS = 1000;
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kClockGrainMs = 1000;  // Some file systems keep whole seconds, or two.

std::int64_t changed_at_ms(const struct stat& status) {
  return status.st_mtim.tv_sec * kMsPerS + status.st_mtim.tv_nsec / kNsPerMs;
}

bool is_absent(int code) { return code == ENOENT; }

Error no_file(const std::string& attempt, const std::string& folder) {
  return {Fault::rejected, Cause::other,
          attempt + " in " + folder + ": something that is no file is in its place",
          "take away what is there: links, too, are not followed"};
}

}  // namespace

FileStore::FileStore(std::string folder, std::int64_t bytes_per_s, const std::atomic<bool>& ending)
    : folder_(std::move(folder)), bytes_per_s_(bytes_per_s), ending_(ending) {}

Result<OpenFile> FileStore::open_root(const std::string& attempt) const {
  OpenFile root(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root.is_open()) return root;
  if (is_absent(errno)) {
    return Error{Fault::transient, Cause::unreachable,
                 attempt + ": the folder " + folder_ + " is not there",
                 "mount the disk that it is on, or make it: mkdir -p " + folder_};
  }
  return store_file_error(attempt, folder_, errno);
}

// Writing shows what no permission bits tell: a full disk, or one that can only be read.
Result<StoreFacts> FileStore::probe() {
  const std::string attempt = "probe the store";
  const auto root = TRY(open_root(attempt));
  const std::int64_t before_ms = system_now_ms();
  const std::string name = text_of(part_name_for(kProbe, before_ms));
  const OpenFile file(::openat(root.fd(), name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.is_open()) return store_file_error(attempt, folder_, errno);
  struct stat status {};
  const bool works = ::write(file.fd(), "x", 1) == 1 && ::fsync(file.fd()) == 0 &&
                     ::fstat(file.fd(), &status) == 0;
  const int code = errno;
  if (::unlinkat(root.fd(), name.c_str(), 0) != 0 && works) {
    return store_file_error(attempt, folder_, errno);
  }
  if (!works) return store_file_error(attempt, folder_, code);
  // What a probe left whose process was killed in the middle of it.
  TRY(abort_uploads(kProbe, before_ms));
  StoreFacts facts;
  facts.has_conditions = true;
  const std::int64_t ahead_ms = changed_at_ms(status) - before_ms;
  if (ahead_ms > 2 * kClockGrainMs || ahead_ms < -2 * kClockGrainMs) {
    facts.clock_ahead_ms = ahead_ms;  // A share's own clock.
  }
  return facts;
}

Result<std::unique_ptr<Upload>> FileStore::upload(const std::string& key) {
  if (Result<> checked = check_key(key); !checked.ok()) return checked.error();
  const auto root = TRY(open_root("write " + key));
  return FileUpload::begin(root, folder_, key, bytes_per_s_, ending_);
}

Result<std::optional<StoredObject>> FileStore::look(const std::string& key) {
  if (Result<> checked = check_key(key); !checked.ok()) return checked.error();
  const std::string attempt = "look for " + key;
  const auto root = TRY(open_root(attempt));
  const auto [path, name] = folder_and_name(key);
  const OpenFile folder = open_folder(root, path, false);
  struct stat status {};
  const bool is_there =
      folder.is_open() && ::fstatat(folder.fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (!is_there && is_absent(errno)) return std::optional<StoredObject>();
  if (!is_there) return store_file_error(attempt, folder_, errno);
  if (!S_ISREG(status.st_mode)) return no_file(attempt, folder_);
  return std::optional<StoredObject>({key, status.st_size, changed_at_ms(status)});
}

Result<std::string> FileStore::read(const std::string& key, std::int64_t offset,
                                    std::int64_t length) {
  if (Result<> checked = check_key(key); !checked.ok()) return checked.error();
  CHECK(offset >= 0 && length >= 0);
  const std::string attempt = "read " + key;
  const auto root = TRY(open_root(attempt));
  const auto [path, name] = folder_and_name(key);
  const OpenFile folder = open_folder(root, path, false);
  const OpenFile file(folder.is_open() ? ::openat(folder.fd(), name.c_str(),
                                                  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
                                       : -1);
  if (!file.is_open() && is_absent(errno)) {
    return Error{Fault::transient, Cause::not_found,
                 attempt + " in " + folder_ + ": there is no such object", ""};
  }
  struct stat status {};
  if (!file.is_open() || ::fstat(file.fd(), &status) != 0) {
    return store_file_error(attempt, folder_, errno);
  }
  if (!S_ISREG(status.st_mode)) return no_file(attempt, folder_);
  const std::int64_t left = std::max<std::int64_t>(0, status.st_size - offset);
  std::string bytes(static_cast<std::size_t>(std::min(left, length)), '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t count = ::pread(file.fd(), bytes.data() + filled, bytes.size() - filled,
                                  offset + static_cast<std::int64_t>(filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return store_file_error(attempt, folder_, errno);
    if (count == 0) break;  // It has shrunk: the end is where it is.
    filled += static_cast<std::size_t>(count);
  }
  bytes.resize(filled);
  return bytes;
}

Result<std::vector<StoredObject>> FileStore::list(const std::string& prefix) {
  if (Result<> checked = check_key_prefix(prefix); !checked.ok()) return checked.error();
  const std::string attempt = "list " + (prefix.empty() ? "objects" : prefix + "*");
  const auto root = TRY(open_root(attempt));
  std::vector<StoredObject> objects;
  const Result<> walked =
      walk_files(root, attempt, folder_, [&](const OpenFile&, const FoundFile& file) -> Result<> {
        const std::string key = file.folder.empty() ? file.name : file.folder + "/" + file.name;
        if (key.starts_with(prefix) && is_key(key)) {
          objects.push_back({key, file.status.st_size, changed_at_ms(file.status)});
        }
        return Done{};
      });
  if (!walked.ok()) return walked.error();
  std::sort(objects.begin(), objects.end(),
            [](const StoredObject& a, const StoredObject& b) { return a.key < b.key; });
  return objects;
}

Result<> FileStore::remove(const std::string& key) {
  if (Result<> checked = check_key(key); !checked.ok()) return checked.error();
  const std::string attempt = "remove " + key;
  const auto root = TRY(open_root(attempt));
  const auto [path, name] = folder_and_name(key);
  const OpenFile folder = open_folder(root, path, false);
  const bool is_gone = folder.is_open() && ::unlinkat(folder.fd(), name.c_str(), 0) == 0;
  if (!is_gone && is_absent(errno)) return Done{};
  if (!is_gone || ::fsync(folder.fd()) != 0) return store_file_error(attempt, folder_, errno);
  return Done{};
}

Result<int> FileStore::abort_uploads(const std::string& prefix, std::int64_t before_ms) {
  if (Result<> checked = check_key_prefix(prefix); !checked.ok()) return checked.error();
  const std::string attempt = "take back uploads of " + (prefix.empty() ? "any" : prefix + "*");
  const auto root = TRY(open_root(attempt));
  int count = 0;
  const Result<> walked = walk_files(
      root, attempt, folder_, [&](const OpenFile& folder, const FoundFile& found) -> Result<> {
        const std::optional<PartName> part = read_part_name(found.name);
        if (!part || part->begun_at_ms >= before_ms) return Done{};
        const std::string key = found.folder.empty() ? part->name : found.folder + "/" + part->name;
        if (!key.starts_with(prefix)) return Done{};
        const OpenFile file(::openat(folder.fd(), found.name.c_str(),
                                     O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        if (file.is_open() && is_being_written(file, part->host, part->process)) return Done{};
        if (::unlinkat(folder.fd(), found.name.c_str(), 0) == 0) {
          ++count;
        } else if (!is_absent(errno)) {
          return store_file_error(attempt, folder_, errno);
        }
        return Done{};
      });
  if (!walked.ok()) return walked.error();
  return count;
}

}  // namespace rowlock
