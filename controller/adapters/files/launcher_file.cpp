// A program that runs in containers is never written over: a new content gets a new name, and is
// renamed to it when it is whole.
#include "controller/adapters/files/launcher_file.h"

#include "controller/base/open_file.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

namespace rowlock {

namespace {

constexpr mode_t kFolderMode = 0755;
constexpr mode_t kProgramMode = 0755;  // Whoever runs in the container may run it.

bool is_whole(const std::string& path, std::string_view program) {
  const OpenFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat found {};
  return file.is_open() && ::fstat(file.fd(), &found) == 0 && S_ISREG(found.st_mode) &&
         (found.st_mode & 07777) == kProgramMode && holds(file, program);
}

// Under a name that no other writer has, so that two may put it there at once.
Result<> write_program(const std::string& path, std::string_view program) {
  const std::string attempt = "write " + path;
  std::string temporary = path + ".XXXXXX";
  const OpenFile file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file.is_open()) return file_error(attempt, errno);
  Result<> done = write_all(file, attempt, program);
  if (done.ok() && (::fchmod(file.fd(), kProgramMode) != 0 || ::fsync(file.fd()) != 0 ||
                    ::rename(temporary.c_str(), path.c_str()) != 0)) {
    done = file_error(attempt, errno);
  }
  if (!done.ok()) ::unlink(temporary.c_str());
  return done;
}

}  // namespace

std::string fnv_hex(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

Result<std::string> launcher_file(const std::string& home, std::string_view program) {
  const std::string folder = home + "/launch";
  if (::mkdir(folder.c_str(), kFolderMode) != 0 && errno != EEXIST) {
    return file_error("make the folder " + folder, errno);
  }
  struct statvfs mounted {};
  if (::statvfs(folder.c_str(), &mounted) != 0) return file_error("look at " + folder, errno);
  if ((mounted.f_flag & ST_NOEXEC) != 0) {
    return Error{Fault::broken, Cause::other,
                 "no program may run from " + folder + ": it is mounted with noexec",
                 "move the home to a file system mounted with exec: the launcher of containers "
                 "with a secret environment runs from there"};
  }
  const std::string path = folder + "/launch-" + fnv_hex(program);
  if (is_whole(path, program)) return path;
  TRY(write_program(path, program));
  const OpenFile names(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!names.is_open() || ::fsync(names.fd()) != 0) return file_error("write " + path, errno);
  return path;
}

}  // namespace rowlock
