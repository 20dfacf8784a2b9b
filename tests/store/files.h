// A home in a folder of its own that goes away with the test, and the engineer's side of it:
// another connection, opened as the stock shell opens it.
#pragma once

#include "controller/store/accept.h"
#include "controller/store/home.h"

#include <string>

struct sqlite3;

namespace rowlock {

// A new empty folder under /tmp, removed with what it holds.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Plain SQLite: no busy timeout, foreign keys off, no functions of ours.
class Shell {
 public:
  explicit Shell(const std::string& path);
  ~Shell();
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  // What SQLite says, or "" when all went well.
  std::string run(const std::string& statements);
  // The first cell.
  std::string value(const std::string& query);

 private:
  sqlite3* handle_ = nullptr;
};

// A home with both files, as `init` makes it.
struct MadeHome {
  TempFolder folder;
  Schema schema;
  Home home;

  MadeHome();
  Database state();  // As the controller opens it.
};

std::string contents(const std::string& path);
void write(const std::string& path, const std::string& bytes);
void write_private(const std::string& path, const std::string& bytes);  // Its owner's alone.

}  // namespace rowlock
