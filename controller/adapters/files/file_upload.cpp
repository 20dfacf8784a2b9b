// Written under another name, synced, read back, renamed.
#include "controller/adapters/files/file_upload.h"

#include "controller/adapters/files/file_store_folder.h"
#include "controller/base/time.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace rowlock {

namespace {

constexpr mode_t kFileMode = 0600;
constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::int64_t kWriteBackBytes = 8 * 1024 * 1024;

Error exists(const std::string& attempt, const std::string& folder) {
  return {Fault::rejected, Cause::other,
          attempt + " in " + folder + ": there is an object of that key already",
          "remove it first, or use another key"};
}

// 0, or errno. NFS, SMB and FUSE cannot rename without replacing, but may link; where there are no
// links either, one look before must do: it matters only when two write the same key at once.
int rename_unless_taken(const OpenFile& folder, const std::string& from, const std::string& to) {
  const int fd = folder.fd();
  if (::renameat2(fd, from.c_str(), fd, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) return errno;
  if (::linkat(fd, from.c_str(), fd, to.c_str(), 0) == 0) {
    return ::unlinkat(fd, from.c_str(), 0) == 0 ? 0 : errno;
  }
  if (errno == EEXIST) return errno;
  if (::faccessat(fd, to.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  if (errno != ENOENT) return errno;
  return ::renameat(fd, from.c_str(), fd, to.c_str()) == 0 ? 0 : errno;
}

}  // namespace

FileUpload::FileUpload(std::string attempt, std::string shown, std::int64_t bytes_per_s,
                       const std::atomic<bool>& ending)
    : attempt_(std::move(attempt)),
      shown_(std::move(shown)),
      folder_(-1),
      file_(-1),
      pace_(bytes_per_s),
      ending_(ending),
      sha256_(StreamDigest::Method::sha256) {}

Result<std::unique_ptr<Upload>> FileUpload::begin(const OpenFile& root, const std::string& shown,
                                                  const std::string& key, std::int64_t bytes_per_s,
                                                  const std::atomic<bool>& ending) {
  std::unique_ptr<FileUpload> made(new FileUpload("write " + key, shown, bytes_per_s, ending));
  const auto [path, name] = folder_and_name(key);
  made->name_ = name;
  made->folder_ = open_folder(root, path, true);
  if (!made->folder_.is_open()) return made->failed(errno);
  if (::faccessat(made->folder_.fd(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
    return exists(made->attempt_, shown);
  }
  const std::string part = text_of(part_name_for(name, system_now_ms()));
  made->file_ = OpenFile(::openat(made->folder_.fd(), part.c_str(),
                                  O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode));
  if (!made->file_.is_open()) return made->failed(errno);
  made->part_ = part;
  // Where there are no locks, the name tells enough.
  (void)::flock(made->file_.fd(), LOCK_EX | LOCK_NB);
  return std::unique_ptr<Upload>(std::move(made));
}

FileUpload::~FileUpload() {
  if (!part_.empty()) ::unlinkat(folder_.fd(), part_.c_str(), 0);
}

Error FileUpload::failed(int code) const {
  if (code == EEXIST) return exists(attempt_, shown_);
  return store_file_error(attempt_, shown_, code);
}

Result<> FileUpload::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!sleep_until_over(pace_.wait_us(steady_now_us()), [this] { return ending_.load(); })) {
      return Error{Fault::transient, Cause::other,
                   attempt_ + " in " + shown_ + ": given up, since Rowlock is ending", ""};
    }
    const std::string_view piece = bytes.substr(0, pace_.piece(bytes.size()));
    const ssize_t count = ::write(file_.fd(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(errno);
    const std::string_view written = piece.substr(0, static_cast<std::size_t>(count));
    sha256_.add(written);
    size_bytes_ += count;
    start_writing_back();
    pace_.spend(count, steady_now_us());
    bytes.remove_prefix(written.size());
  }
  return Done{};
}

// Has the disk begin with what there is, or it would all wait for the end.
void FileUpload::start_writing_back() {
  if (size_bytes_ - begun_bytes_ < kWriteBackBytes) return;
  (void)::sync_file_range(file_.fd(), begun_bytes_, size_bytes_ - begun_bytes_,
                          SYNC_FILE_RANGE_WRITE);
  begun_bytes_ = size_bytes_;
}

// From the disk rather than from memory, as far as the system can be made to.
Result<> FileUpload::check_written() {
  (void)::posix_fadvise(file_.fd(), 0, 0, POSIX_FADV_DONTNEED);
  StreamDigest found(StreamDigest::Method::sha256);
  std::int64_t size_bytes = 0;
  std::string piece(kReadBytes, '\0');
  while (true) {
    if (ending_) {
      return Error{Fault::transient, Cause::other,
                   attempt_ + " in " + shown_ + ": given up, since Rowlock is ending", ""};
    }
    const ssize_t count = ::pread(file_.fd(), piece.data(), piece.size(), size_bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(errno);
    if (count == 0) break;
    found.add(std::string_view(piece).substr(0, static_cast<std::size_t>(count)));
    size_bytes += count;
  }
  if (size_bytes != size_bytes_ || found.end() != sha256_.end()) {
    return Error{Fault::broken, Cause::other,
                 attempt_ + " in " + shown_ + ": what is read back is not what was written",
                 "look after the disk: its own log (dmesg) says more"};
  }
  return Done{};
}

Result<> FileUpload::give_its_name() {
  const int code = rename_unless_taken(folder_, part_, name_);
  if (code != 0) return failed(code);
  part_.clear();
  if (::fsync(folder_.fd()) != 0) return failed(errno);
  return Done{};
}

Result<> FileUpload::finish() {
  if (part_.empty()) return failed(EEXIST);
  if (::fsync(file_.fd()) != 0) return failed(errno);
  if (Result<> checked = check_written(); !checked.ok()) return checked;
  return give_its_name();
}

bool is_being_written(const OpenFile& file, const std::string& host, std::int64_t process) {
  if (::flock(file.fd(), LOCK_EX | LOCK_NB) == 0) {
    ::flock(file.fd(), LOCK_UN);
    return false;
  }
  if (errno == EWOULDBLOCK) return true;
  const PartName ours = part_name_for("", 0);
  return host == ours.host && process == ours.process;
}

}  // namespace rowlock
