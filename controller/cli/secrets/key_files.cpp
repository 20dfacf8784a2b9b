// A key that is made and then cannot be written is lost. So the file is made and its room allocated
// first; keep() only fills it.
#include "controller/cli/secrets/key_files.h"

#include "controller/crypto/age.h"
#include "controller/crypto/secret_bytes.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace rowlock {
namespace {

constexpr off_t kRoomBytes = 64 * 1024;  // More than a key for many recipients takes.
constexpr std::size_t kRecipientsMax = 100;

Error failure(const std::string& what, int code) {
  return {Fault::rejected, code == EACCES || code == EPERM ? Cause::denied : Cause::other,
          fmt::format("{}: {}", what, std::strerror(code)), ""};
}

// A name is on the disk when its folder is.
Result<> sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::absolute(path).parent_path();
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool is_synced = fd >= 0 && fsync(fd) == 0;
  const int code = errno;
  if (fd >= 0) {
    close(fd);
  }
  return is_synced ? Result<>(Done{}) : failure("cannot sync " + folder, code);
}

}  // namespace

Result<ReservedFile> ReservedFile::at(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) {
    return Error{Fault::rejected, Cause::other, path + " is there already, and is not overwritten",
                 "it may be a key that opens something: name another file, or move it away"};
  }
  if (fd < 0) {
    return failure("cannot make " + path, errno);
  }
  ReservedFile file(path, fd);
  if (const int code = posix_fallocate(fd, 0, kRoomBytes); code != 0) {
    return failure("cannot make " + path, code);
  }
  if (fsync(fd) != 0) {
    return failure("cannot write " + path, errno);
  }
  TRY(sync_folder_of(path));
  return file;
}

ReservedFile::~ReservedFile() {
  if (fd_ >= 0) {
    close(fd_);
    unlink(path_.c_str());
  }
}

Result<> ReservedFile::keep(std::string_view text) {
  if (pwrite(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ftruncate(fd_, static_cast<off_t>(text.size())) != 0 || fsync(fd_) != 0) {
    return failure("cannot write " + path_, errno);
  }
  close(std::exchange(fd_, -1));
  return Done{};
}

Result<> ReservedFile::move_to(const std::string& path) {
  if (std::rename(path_.c_str(), path.c_str()) != 0) {
    return failure(fmt::format("cannot move {} to {}", path_, path), errno);
  }
  return sync_folder_of(path);
}

Result<KeyFiles> KeyFiles::reserve(Wish wish) {
  if (wish.age_recipients.size() > kRecipientsMax) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("more than {} recipients", kRecipientsMax), ""};
  }
  for (const std::string& recipient : wish.age_recipients) {
    TRY(check_age_recipient(recipient));
  }
  const std::string suffix = wish.replaces ? ".new" : "";
  KeyFiles files(std::move(wish));
  if (!files.wish_.key_file.empty()) {
    auto reserved = TRY(ReservedFile::at(files.wish_.key_file + suffix));
    files.key_.emplace(std::move(reserved));
  }
  if (!files.wish_.age_recipients.empty()) {
    auto reserved = TRY(ReservedFile::at(files.wish_.age_file + suffix));
    files.age_.emplace(std::move(reserved));
  }
  return files;
}

Result<> KeyFiles::keep(std::string_view key_as_base64) {
  std::string line = std::string(key_as_base64) + "\n";
  Result<> kept = Done{};
  if (key_) {
    kept = key_->keep(line);
  }
  if (age_ && kept.ok()) {
    auto sealed = age_encrypt(wish_.age_recipients, line);
    kept = sealed.ok() ? age_->keep(sealed.value()) : Result<>(sealed.error());
  }
  wipe(line);
  // Only now, with every new file safe, may one of before go.
  if (kept.ok() && wish_.replaces && key_) {
    kept = key_->move_to(wish_.key_file);
  }
  if (kept.ok() && wish_.replaces && age_) {
    kept = age_->move_to(wish_.age_file);
  }
  return kept;
}

}  // namespace rowlock
