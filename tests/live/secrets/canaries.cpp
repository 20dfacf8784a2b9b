// The mark that begins each half is searched for first, in its plain, base64 and hex forms: that
// keeps a look through much memory quick.
#include "tests/live/secrets/canaries.h"

#include "controller/crypto/encoding.h"
#include "tests/live/rowlock/rowlock_child.h"

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

using namespace rowlock;

namespace rowlock_live {

namespace {

namespace fs = std::filesystem;

constexpr char kMark[] = "Qanary";  // Each half of each begins so, which is looked for first.
constexpr std::size_t kHalfBytes = 20;
constexpr auto kWatchPause = std::chrono::milliseconds(25);
constexpr char kCoreTool[] = "/usr/bin/gcore";
constexpr int kCoreS = 120;
constexpr std::size_t kPieceBytes = 4 * 1024 * 1024;

struct Form {
  const char* name;
  std::function<std::string(const std::string&)> of;
};

// The digits that depend on these bytes alone; what stands before and after may be another's.
std::string whole_digits(const std::string& encoded, std::size_t bytes) {
  return encoded.substr(0, bytes * 8 / 6);
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), ::toupper);
  return text;
}

const std::vector<Form>& all_forms() {
  static const std::vector<Form> forms = [] {
    std::vector<Form> made = {
        {"plain", [](const std::string& bytes) { return bytes; }},
        {"hex", [](const std::string& bytes) { return to_hex(bytes); }},
        {"HEX", [](const std::string& bytes) { return upper(to_hex(bytes)); }}};
    static const char* const kNames[] = {"base64", "base64+1", "base64+2"};
    for (std::size_t shift = 0; shift < 3; ++shift) {
      made.push_back({kNames[shift], [shift](const std::string& bytes) {
                        return whole_digits(to_base64(bytes.substr(shift)), bytes.size() - shift);
                      }});
      made.push_back({kNames[shift], [shift](const std::string& bytes) {
                        return whole_digits(to_base64url(bytes.substr(shift)),
                                            bytes.size() - shift);
                      }});
    }
    return made;
  }();
  return forms;
}

struct File {
  explicit File(const std::string& path) : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd >= 0) ::close(fd);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const int fd;
};

std::string line_of(const std::string& where, const std::string& found) {
  return where + ": " + found + "\n";
}

// One part of a process's memory; what there is of it that cannot be read is nothing.
std::string found_in_part(const Canaries& canaries, int fd, unsigned long begin, unsigned long past,
                          std::size_t& bytes_read) {
  std::string piece;
  std::string kept;  // One may lie across the edge of two pieces.
  for (unsigned long at = begin; at < past;) {
    piece.assign(kept);
    const std::size_t wanted = std::min<std::size_t>(kPieceBytes, past - at);
    piece.resize(kept.size() + wanted);
    const ssize_t got = ::pread(fd, piece.data() + kept.size(), wanted, static_cast<off_t>(at));
    if (got <= 0) return "";
    bytes_read += static_cast<std::size_t>(got);
    piece.resize(kept.size() + static_cast<std::size_t>(got));
    if (std::string found = canaries.found_in(piece); !found.empty()) return found;
    kept = piece.substr(piece.size() - std::min(piece.size(), 4 * kHalfBytes));
    at += static_cast<unsigned long>(got);
  }
  return "";
}

}  // namespace

std::string Canaries::next() {
  static std::random_device dice;
  std::string canary;
  const std::lock_guard lock(mutex_);
  ++count_;
  for (int half = 0; half < 2; ++half) {
    std::string bytes = kMark;
    while (bytes.size() < kHalfBytes) bytes += "abcdefghijklmnopqrstuvwxyz234567"[dice() % 32];
    for (const Form& form : all_forms())
      forms_[form.of(bytes)] = "number " + std::to_string(count_) + ", as " + form.name;
    canary += bytes;
  }
  return canary;
}

std::string Canaries::found_in(std::string_view text) const {
  const std::lock_guard lock(mutex_);
  for (const Form& form : all_forms()) {
    const std::string mark = form.of(kMark);
    const std::size_t length = form.of(std::string(kHalfBytes, 'x')).size();
    for (auto at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + 1)) {
      const auto known = forms_.find(text.substr(at, length));
      if (known != forms_.end()) return known->second;
    }
  }
  return "";
}

std::string processes_that_show(const Canaries& canaries, bool inside) {
  std::string all;
  const auto ours = fs::read_symlink("/proc/self/ns/mnt");
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code gone;
    const auto its = fs::read_symlink(entry.path() / "ns/mnt", gone);
    if (gone || (its != ours) != inside) continue;
    for (const char* const file : {"cmdline", "environ"}) {
      const std::string found = canaries.found_in(file_text(entry.path() / file));
      if (!found.empty()) {
        all += line_of(name + " " + file_text(entry.path() / "comm") + " " + file, found);
      }
    }
  }
  return all;
}

std::string memory_that_holds(const Canaries& canaries, pid_t process) {
  const std::string folder = "/proc/" + std::to_string(process);
  const File memory(folder + "/mem");
  std::istringstream maps(file_text(folder + "/maps"));
  std::string all;
  std::size_t bytes_read = 0;
  for (std::string line; std::getline(maps, line);) {
    char* end = nullptr;
    const unsigned long begin = std::strtoul(line.c_str(), &end, 16);
    const unsigned long past = std::strtoul(end + 1, nullptr, 16);
    const std::string found = found_in_part(canaries, memory.fd, begin, past, bytes_read);
    if (!found.empty()) all += line_of(line, found);
  }
  if (bytes_read == 0) throw std::runtime_error("the memory of " + folder + " cannot be read");
  return all;
}

bool cores_can_be_made() { return ::access(kCoreTool, X_OK) == 0; }

std::string core_that_holds(const Canaries& canaries, pid_t process, const std::string& core) {
  const std::string pid = std::to_string(process);
  const std::string file = core + "." + pid;
  const std::string log = core + ".log";
  Child tool({kCoreTool, "-o", core, pid}, log);
  tool.end_input();
  (void)tool.await_end(kCoreS);
  const std::string said = file_text(log);
  const std::string text = file_text(file);
  fs::remove(file);
  fs::remove(log);
  if (!text.starts_with("\177ELF")) throw std::runtime_error("gcore: " + said);
  const std::string found = canaries.found_in(text);
  return found.empty() ? "" : line_of("a core of " + std::to_string(text.size()) + " bytes", found);
}

std::string files_that_hold(const Canaries& canaries, const std::string& folder) {
  std::string all;
  std::error_code gone;
  for (fs::recursive_directory_iterator it(folder, gone), end; !gone && it != end;
       it.increment(gone)) {
    if (!it->is_regular_file(gone)) continue;
    const std::string found = canaries.found_in(file_text(it->path()));
    if (!found.empty()) all += line_of(it->path(), found);
  }
  return all;
}

ProcessWatch::ProcessWatch(const Canaries& canaries) {
  thread_ = std::thread([this, &canaries] {
    while (!stop_) {
      std::string seen = processes_that_show(canaries, false);
      if (seen_.empty()) seen_ = std::move(seen);
      ++looks_;
      std::this_thread::sleep_for(kWatchPause);
    }
  });
}

std::string ProcessWatch::finish() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  return seen_;
}

}  // namespace rowlock_live
