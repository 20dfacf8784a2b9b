// By the calls that take an open folder, one part of a path at a time, so that no part is a link.
#include "controller/adapters/files/file_store_folder.h"

#include "controller/adapters/object_key.h"
#include "controller/base/own_trouble.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/secret_bytes.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>
#include <vector>

namespace rowlock {

namespace {

constexpr mode_t kFolderMode = 0700;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr std::size_t kFilesMax = 1'000'000;
constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kHostBytesMax = 32;
constexpr std::size_t kRandomBytes = 6;
constexpr std::string_view kPartStart = ".rowlock-part~";

std::string hint_for(int code) {
  switch (code) {
    case ENOSPC:
    case EDQUOT: return "make room there, or keep fewer backups";
    case EROFS: return "mount it for writing";
    case EACCES:
    case EPERM: return "let Rowlock's user write there";
    case ELOOP:
    case ENOTDIR: return "no symbolic link below the folder is followed: put a folder in its place";
    case EIO: return "look after the disk: its own log (dmesg) says more";
    case ESTALE:
    case ENODEV: return "mount it again";
    default: return "";
  }
}

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  std::string plain;
  for (const char* c = name; *c != '\0' && plain.size() < kHostBytesMax; ++c) {
    if (is_key(std::string_view(c, 1)) || *c == '.') plain += *c;
  }
  return plain.empty() ? "unnamed" : plain;
}

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Error too_many(const std::string& attempt, const std::string& folder) {
  return {
      Fault::broken, Cause::other,
      attempt + " in " + folder + ": there are more than " + std::to_string(kFilesMax) + " files",
      "give the backups a folder of their own"};
}

}  // namespace

Error store_file_error(const std::string& attempt, const std::string& folder, int code) {
  const std::string where = attempt + " in " + folder;
  if (is_own_trouble(code)) return own_trouble(where, code);
  const bool passes =
      code == ENOSPC || code == EDQUOT || code == EIO || code == ESTALE || code == ENODEV;
  return {passes ? Fault::transient : Fault::broken, Cause::other,
          where + ": " + std::strerror(code), hint_for(code)};
}

std::pair<std::string, std::string> folder_and_name(const std::string& key) {
  const std::size_t slash = key.rfind('/');
  if (slash == std::string::npos) return {"", key};
  return {key.substr(0, slash), key.substr(slash + 1)};
}

OpenFile open_folder(const OpenFile& root, const std::string& path, bool makes) {
  OpenFile at(::openat(root.fd(), ".", kFolderFlags));
  std::string_view rest = path;
  while (at.is_open() && !rest.empty()) {
    const std::string part(rest.substr(0, rest.find('/')));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    int next = ::openat(at.fd(), part.c_str(), kFolderFlags);
    if (next < 0 && errno == ENOENT && makes) {
      const bool is_there = ::mkdirat(at.fd(), part.c_str(), kFolderMode) == 0 || errno == EEXIST;
      if (!is_there || ::fsync(at.fd()) != 0) return OpenFile(-1);
      next = ::openat(at.fd(), part.c_str(), kFolderFlags);
    }
    at = OpenFile(next);
  }
  return at;
}

PartName part_name_for(const std::string& name, std::int64_t now_ms) {
  return {name, host_name(), ::getpid(), now_ms, to_hex(SecretBytes::random(kRandomBytes).view())};
}

std::string text_of(const PartName& part) {
  return std::string(kPartStart) + part.name + "~" + part.host + "~" +
         std::to_string(part.process) + "~" + std::to_string(part.begun_at_ms) + "~" + part.random;
}

std::optional<PartName> read_part_name(std::string_view file) {
  if (!file.starts_with(kPartStart)) return std::nullopt;
  file.remove_prefix(kPartStart.size());
  std::vector<std::string> fields;
  while (true) {
    const std::size_t end = file.find('~');
    fields.emplace_back(file.substr(0, end));
    if (end == std::string_view::npos) break;
    file.remove_prefix(end + 1);
  }
  PartName part;
  if (fields.size() != 5 || !read_number(fields[2], part.process) ||
      !read_number(fields[3], part.begun_at_ms)) {
    return std::nullopt;
  }
  part.name = fields[0];
  part.host = fields[1];
  part.random = fields[4];
  return part;
}

Result<> walk_files(const OpenFile& root, const std::string& attempt, const std::string& shown,
                    const std::function<Result<>(const OpenFile&, const FoundFile&)>& take) {
  std::vector<std::string> folders = {""};
  std::size_t seen = 0;
  while (!folders.empty()) {
    const std::string path = std::move(folders.back());
    folders.pop_back();
    const OpenFile folder = open_folder(root, path, false);
    if (!folder.is_open() && errno == ENOENT) continue;  // Taken away meanwhile.
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(
        folder.is_open() ? ::fdopendir(::dup(folder.fd())) : nullptr, &::closedir);
    if (entries == nullptr) return store_file_error(attempt, shown, errno);
    while (const dirent* const entry = (errno = 0, ::readdir(entries.get()))) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++seen > kFilesMax) return too_many(attempt, shown);
      FoundFile found{path, name, {}};
      if (::fstatat(folder.fd(), name.c_str(), &found.status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;
        return store_file_error(attempt, shown, errno);
      }
      if (S_ISREG(found.status.st_mode)) {
        if (Result<> taken = take(folder, found); !taken.ok()) return taken;
      } else if (S_ISDIR(found.status.st_mode) && is_key(name) &&
                 std::count(path.begin(), path.end(), '/') < static_cast<long>(kDepthMax)) {
        folders.push_back(path.empty() ? name : path + "/" + name);
      }
    }
    if (errno != 0) return store_file_error(attempt, shown, errno);
  }
  return Done{};
}

}  // namespace rowlock
