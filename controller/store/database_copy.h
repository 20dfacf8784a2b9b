// A copy of a database that others are writing to, as one transaction saw it, page by page.
#pragma once

#include "controller/base/result.h"

#include <atomic>
#include <string>
#include <utility>

namespace rowlock {

// A file that nobody can name any more, gone when it is closed.
class DatabaseCopy {
 public:
  // Made on the disk of `folder`. A database in WAL mode is read in one transaction, which holds up
  // nobody. In any other mode readers keep writers out: it is read in short steps, from the
  // beginning again whenever somebody wrote between two of them, and in one go at the last.
  // Transient when another program keeps it locked, when the disk is full, or once `ending` is set.
  static Result<DatabaseCopy> of(const std::string& path, const std::string& folder,
                                 const std::atomic<bool>& ending);

  DatabaseCopy(DatabaseCopy&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DatabaseCopy& operator=(DatabaseCopy&& other) noexcept;
  ~DatabaseCopy();

  int fd() const { return fd_; }  // To be read from its beginning.

 private:
  explicit DatabaseCopy(int fd) : fd_(fd) {}
  static Result<DatabaseCopy> attempt(const std::string& path, const std::string& folder,
                                      const std::atomic<bool>& ending);
  int fd_;
};

}  // namespace rowlock
