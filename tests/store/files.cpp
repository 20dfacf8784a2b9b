// Shell uses SQLite itself and not our Database: what is tested is what a foreign client can do.
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace rowlock {

TempFolder::TempFolder() {
  char name[] = "/tmp/rowlock-test-XXXXXX";
  cr_assert(mkdtemp(name) != nullptr);
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;  // What is left behind in /tmp harms nobody.
  std::filesystem::remove_all(path_, ignored);
}

Shell::Shell(const std::string& path) {
  cr_assert_eq(sqlite3_open(path.c_str(), &handle_), SQLITE_OK);
}

Shell::~Shell() { sqlite3_close(handle_); }

std::string Shell::run(const std::string& statements) {
  char* said = nullptr;
  sqlite3_exec(handle_, statements.c_str(), nullptr, nullptr, &said);
  std::string message = said == nullptr ? "" : said;
  sqlite3_free(said);
  return message;
}

std::string Shell::value(const std::string& query) {
  std::string found;
  sqlite3_exec(
      handle_, query.c_str(),
      [](void* to, int, char** cells, char**) {
        *static_cast<std::string*>(to) = cells[0] == nullptr ? "" : cells[0];
        return 1;
      },
      &found, nullptr);
  return found;
}

MadeHome::MadeHome() : home(folder / "home") {
  const auto made = home.create(schema, 1'000'000);
  cr_assert(made.ok(), "%s", made.ok() ? "" : made.error().message.c_str());
}

Database MadeHome::state() {
  auto opened = open_state(home.state_path(), schema, 1'000'000);
  cr_assert(opened.ok(), "%s", opened.ok() ? "" : opened.error().message.c_str());
  return std::move(opened).value();
}

std::string contents(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path, std::ios::binary).rdbuf();
  return all.str();
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

void write_private(const std::string& path, const std::string& bytes) {
  write(path, bytes);
  std::filesystem::permissions(path, std::filesystem::perms{0600});
}

}  // namespace rowlock
