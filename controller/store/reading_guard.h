// For queries that somebody else wrote, such as those of the table `invariant`.
#pragma once

#include <sqlite3.h>

#include <array>
#include <chrono>
#include <utility>

namespace rowlock {

// As long as this lives, statements of the connection read only, on functions that work on values,
// and none works for long. Nothing stops a function that has begun: so what it can make, and what
// it may be given, is a megabyte at most.
class ReadingGuard {
 public:
  ReadingGuard(sqlite3* handle, int time_max_ms);
  ~ReadingGuard();
  ReadingGuard(const ReadingGuard&) = delete;
  ReadingGuard& operator=(const ReadingGuard&) = delete;

 private:
  sqlite3* handle_;
  std::chrono::steady_clock::time_point deadline_;
  // Those of the guard at first, what was before while it lives: https://www.sqlite.org/limits.html
  std::array<std::pair<int, int>, 3> limits_;
};

}  // namespace rowlock
