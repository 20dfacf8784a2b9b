// Looks whether the -wal of state.db stays large, and who reads the file meanwhile: a reader that
// never ends keeps SQLite from beginning it anew.
#pragma once

#include "controller/store/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace rowlock {

// Who holds a read lock on a WAL, by the locks of this machine on its -shm, in words: "process 4711
// (sqlite3)". Never empty.
std::string readers_of(const std::string& database_path);

class WalWatch {
 public:
  // Several times what SQLite lets it grow to by itself (PRAGMA journal_size_limit).
  static constexpr std::int64_t kHeldBytes = 64 * 1024 * 1024;

  explicit WalWatch(std::string database_path, std::int64_t held_bytes = kHeldBytes)
      : path_(std::move(database_path)), held_bytes_(held_bytes) {}

  // A script of schema/kernel/wal.sql with its values, when there is something to write down.
  // Looks every few seconds, however often it is called: one stat() call, and when the file is
  // large, the locks.
  std::optional<std::pair<std::string, Values>> look(std::int64_t now_ms);

 private:
  std::string path_;
  std::int64_t held_bytes_;
  std::int64_t look_at_ms_ = 0;
  std::int64_t large_since_ms_ = 0;  // 0: it is not.
  std::int64_t tell_at_ms_ = 0;
  bool is_told_ = false;
};

}  // namespace rowlock
