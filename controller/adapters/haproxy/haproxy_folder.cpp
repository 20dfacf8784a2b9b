// How a configuration becomes the one in force: written whole to a new folder, synced, checked by
// HAProxy itself, and only then made current by renaming a link. A crash leaves the old one in
// force.
#include "controller/adapters/haproxy/haproxy_folder.h"

#include "controller/adapters/haproxy/haproxy_config.h"
#include "controller/adapters/haproxy/haproxy_socket.h"
#include "controller/adapters/process/command.h"
#include "controller/base/own_trouble.h"
#include "controller/base/utf8.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace rowlock {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kCheckDeadlineMs = 30'000;
constexpr std::size_t kWordsBytesMax = 1000;
constexpr mode_t kOursOnly = 0700;

Error failure(const std::string& what, int code) {
  if (is_own_trouble(code)) return own_trouble(what, code);
  return Error{code == ENOSPC || code == EDQUOT ? Fault::transient : Fault::broken, Cause::other,
               what + ": " + std::strerror(code), ""};
}

Result<> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), kOursOnly) == 0 || errno == EEXIST) return Done{};
  return failure("make the folder " + path, errno);
}

Result<> write_whole(int fd, const std::string& path, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure("write " + path, errno);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd) != 0) return failure("write " + path, errno);
  return Done{};
}

Result<> write_file(const std::string& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return failure("write " + path, errno);
  auto written = write_whole(fd, path, text);
  ::close(fd);
  return written;
}

// So that names survive a crash as the bytes do.
void sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

std::string text_of(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path, std::ios::binary).rdbuf();
  return all.str();
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// A folder stands for the PEM files in it, sorted so that two looks at it compare.
std::vector<std::string> files_in(const std::vector<std::string>& certificates) {
  std::vector<std::string> files;
  for (const std::string& entry : certificates) {
    std::error_code failed;
    if (!fs::is_directory(entry, failed)) {
      files.push_back(entry);
      continue;
    }
    std::vector<std::string> found;
    for (fs::directory_iterator it(entry, failed), end; !failed && it != end;
         it.increment(failed)) {
      if (it->path().extension() == ".pem") found.push_back(it->path().string());
    }
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

// Whoever talks to the world had better not be root. The package makes this user; a worker has read
// its files and bound its ports before it becomes it.
std::string user_of_workers() {
  constexpr char kUser[] = "haproxy";
  if (::geteuid() != 0) return "";
  std::ifstream users("/etc/passwd");
  for (std::string line; std::getline(users, line);) {
    if (line.rfind(std::string(kUser) + ":", 0) == 0) return kUser;
  }
  return "";
}

// The files of ours that HAProxy does not read: by them another process knows what was saved.
constexpr char kSavedName[] = "saved";                // "HOME GENERATION"
constexpr char kCertificatesName[] = "certificates";  // As configured, one a line.

std::string lines(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& line : all) text += line + "\n";
  return text;
}

}  // namespace

Result<std::string> haproxy_binary() {
  std::string path = program_path("haproxy");
  if (!path.empty()) return path;
  return Error{Fault::rejected, Cause::other, "haproxy is not installed",
               "apt-get install haproxy"};
}

// [ALERT]    (123) : config : parsing [/a/haproxy.cfg:12] : 'bind' : invalid address
std::string haproxy_words(const std::string& output) {
  std::istringstream all(output);
  for (std::string line; std::getline(all, line);) {
    if (line.find("[ALERT]") == std::string::npos) continue;
    for (const char* noise : {") : ", "config : "}) {
      const std::size_t at = line.find(noise);
      if (at != std::string::npos) line.erase(0, at + std::strlen(noise));
    }
    // The line number is one of a file that is about to be removed.
    const std::size_t place = line.find("] : ");
    if (line.rfind("parsing [", 0) == 0 && place != std::string::npos) line.erase(0, place + 4);
    if (line.size() > kWordsBytesMax) line.resize(kWordsBytesMax);
    return utf8_sanitised(line);
  }
  return "no reason given";
}

Result<> check_configuration(const std::string& file) {
  const Result<std::string> binary = haproxy_binary();
  if (!binary.ok()) return binary.error();
  const auto checked = TRY(run_command({binary.value(), "-c", "-f", file}, kCheckDeadlineMs));
  if (checked.exit_code == 0) return Done{};
  return Error{Fault::rejected, Cause::other, haproxy_words(checked.output), ""};
}

Result<> HaproxyFolder::save(const ProxyConfig& config) const {
  for (const std::string& socket : {master_socket(), worker_socket()}) {
    if (socket.size() <= kSocketPathMax) continue;
    return Error{Fault::rejected, Cause::other,
                 "the home's path is too long: HAProxy allows a socket " +
                     std::to_string(kSocketPathMax) + " bytes, not " + socket,
                 "move the home to a shorter path"};
  }
  for (const std::string& folder : {path_, path_ + "/generations"}) {
    if (auto made = make_folder(folder); !made.ok()) return made;
  }
  std::string folder = path_ + "/generations/" + std::to_string(config.generation) + "-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return failure("make the folder " + folder, errno);
  auto done = write_and_check(folder, config);
  const std::string before = fs::path(config_path()).parent_path().string();
  std::error_code ignored;
  const std::string old_name = fs::read_symlink(before, ignored).filename().string();
  const std::string name = fs::path(folder).filename().string();
  if (done.ok()) done = make_current(name);
  if (!done.ok()) {
    fs::remove_all(folder, ignored);
    return done;
  }
  remove_all_but(name, old_name);
  return Done{};
}

Result<> HaproxyFolder::write_and_check(const std::string& folder,
                                        const ProxyConfig& config) const {
  std::vector<ProxyFile> all =
      TRY(proxy_files(config, {worker_socket(), user_of_workers(), files_in(config.certificates)}));
  all.push_back({kSavedName, config.home + " " + std::to_string(config.generation) + "\n"});
  all.push_back({kCertificatesName, lines(config.certificates)});
  if (auto made = make_folder(folder + "/pages"); !made.ok()) return made;
  for (const ProxyFile& file : all) {
    if (auto written = write_file(folder + "/" + file.path, file.text); !written.ok()) {
      return written;
    }
  }
  sync_folder(folder + "/pages");
  sync_folder(folder);
  return check_configuration(folder + "/haproxy.cfg");
}

// By renaming a link over the one before: there is always exactly one.
Result<> HaproxyFolder::make_current(const std::string& name) const {
  const std::string current = path_ + "/current";
  const std::string next = path_ + "/next";
  ::unlink(next.c_str());
  if (::symlink(("generations/" + name).c_str(), next.c_str()) != 0 ||
      ::rename(next.c_str(), current.c_str()) != 0) {
    return failure("point " + current + " to " + name, errno);
  }
  sync_folder(path_ + "/generations");
  sync_folder(path_);
  return Done{};
}

// A worker has read all it needs when it starts; the one before is kept for people.
void HaproxyFolder::remove_all_but(const std::string& newest, const std::string& before) const {
  std::error_code failed;
  std::vector<fs::path> old;
  for (fs::directory_iterator it(path_ + "/generations", failed), end; !failed && it != end;
       it.increment(failed)) {
    const std::string name = it->path().filename().string();
    if (name != newest && name != before) old.push_back(it->path());
  }
  for (const fs::path& folder : old) fs::remove_all(folder, failed);
}

Result<SavedProxy> HaproxyFolder::saved() const {
  // Resolved once, so that all comes from the same generation.
  std::error_code failed;
  const fs::path folder = fs::canonical(path_ + "/current", failed);
  std::istringstream text(failed ? "" : text_of(folder / kSavedName));
  SavedProxy saved;
  if (!(text >> saved.home >> saved.generation)) {
    return Error{Fault::rejected, Cause::not_found, "no configuration was saved in " + path_, ""};
  }
  saved.certificates = lines_of(folder / "crt-list");
  saved.files_moved = files_in(lines_of(folder / kCertificatesName)) != saved.certificates;
  return saved;
}

}  // namespace rowlock
