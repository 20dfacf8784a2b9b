// Each reader holds a shared lock on one of the bytes 123 to 127 of the -shm
// (https://www.sqlite.org/walformat.html, section 2.3), and /proc/locks says which process holds
// which byte of which file.
#include "controller/service/wal_watch.h"

#include <fmt/format.h>

#include <fstream>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace rowlock {
namespace {

constexpr std::int64_t kLookEveryMs = 5000;
constexpr std::int64_t kPatienceMs = 10000;  // A large transaction is no reader.
constexpr std::int64_t kTellEveryMs = 60000;
constexpr long kFirstReader = 123;
constexpr long kLastReader = 127;
constexpr std::size_t kNamedMax = 5;

std::string file_in_proc(const struct stat& file) {
  return fmt::format("{:02x}:{:02x}:{}", major(file.st_dev), minor(file.st_dev), file.st_ino);
}

std::string process_in_words(long process) {
  if (process == getpid()) return "Rowlock itself (a backup, perhaps)";
  if (process <= 0) return "a process that cannot be seen from here";
  std::string name;
  std::getline(std::ifstream(fmt::format("/proc/{}/comm", process)), name);
  return fmt::format("process {}{}", process, name.empty() ? "" : " (" + name + ")");
}

// A line is "1: POSIX  ADVISORY  READ  4711 08:01:1234567 124 124".
std::set<long> holders(const std::string& file) {
  std::set<long> found;
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, type, how, what, where, end;
    long process = 0;
    long from = 0;
    if (!(words >> number >> type >> how >> what >> process >> where >> from >> end)) continue;
    const long to = end == "EOF" ? kLastReader : std::atol(end.c_str());
    if (where == file && what == "READ" && from <= kLastReader && to >= kFirstReader) {
      found.insert(process);
    }
  }
  return found;
}

}  // namespace

std::string readers_of(const std::string& database_path) {
  struct stat shared {};
  std::set<long> found;
  if (stat((database_path + "-shm").c_str(), &shared) == 0) found = holders(file_in_proc(shared));
  if (found.empty()) return "a process that cannot be seen from here";
  std::string words;
  std::size_t named = 0;
  for (const long process : found) {
    if (++named > kNamedMax) return words + " and others";
    words += (words.empty() ? "" : ", ") + process_in_words(process);
  }
  return words;
}

std::optional<std::pair<std::string, Values>> WalWatch::look(std::int64_t now_ms) {
  if (now_ms < look_at_ms_) return std::nullopt;
  look_at_ms_ = now_ms + kLookEveryMs;
  struct stat log {};
  const bool is_there = stat((path_ + "-wal").c_str(), &log) == 0;
  if (!is_there || log.st_size <= held_bytes_) {
    large_since_ms_ = 0;
    tell_at_ms_ = 0;
    if (!std::exchange(is_told_, false)) return std::nullopt;
    return std::pair{std::string("wal.free"), Values{}};
  }
  if (large_since_ms_ == 0) large_since_ms_ = now_ms;
  if (now_ms < large_since_ms_ + kPatienceMs || now_ms < tell_at_ms_) return std::nullopt;
  tell_at_ms_ = now_ms + kTellEveryMs;
  is_told_ = true;
  return std::pair{std::string("wal.held"), Values{{"bytes", std::int64_t{log.st_size}},
                                                   {"reader", readers_of(path_)},
                                                   {"since_ms", large_since_ms_}}};
}

}  // namespace rowlock
