// Debian keeps a folder for each major version, and the pg_dump in PATH is only a script that picks
// one of them: so the versions are asked of the programs themselves.
#include "controller/adapters/postgres/postgres_program.h"

#include "controller/adapters/process/command.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <unistd.h>

namespace rowlock {

namespace {

namespace fs = std::filesystem;

constexpr char kDebiansFolder[] = "/usr/lib/postgresql";
constexpr std::int64_t kVersionMs = 10'000;

// "15.16" of "pg_dump (PostgreSQL) 15.16 (Debian 15.16-0+deb12u1)"; empty when it does not say. A
// machine that can start no program just now has it all the same.
Result<std::string> version_of(const std::string& path) {
  const auto said = run_command({path, "--version"}, kVersionMs);
  if (!said.ok() && said.error().fault == Fault::transient) return said.error();
  if (!said.ok() || said.value().exit_code != 0) return std::string();
  std::istringstream words(said.value().output);
  for (std::string word; words >> word;) {
    if (std::isdigit(static_cast<unsigned char>(word.front())) != 0) return word;
  }
  return std::string();
}

}  // namespace

std::vector<std::string> postgres_folders() {
  std::vector<std::string> folders;
  std::error_code ignored;
  for (const auto& each : fs::directory_iterator(kDebiansFolder, ignored)) {
    folders.push_back(each.path().string() + "/bin");
  }
  std::sort(folders.begin(), folders.end());
  const char* const path = std::getenv("PATH");
  std::istringstream parts(path == nullptr ? "/usr/bin:/bin" : path);
  for (std::string folder; std::getline(parts, folder, ':');) {
    if (folder.starts_with('/')) folders.push_back(folder);
  }
  return folders;
}

Result<PostgresProgram> postgres_program(const std::string& name, int major,
                                         const std::vector<std::string>& folders) {
  PostgresProgram best;
  int best_major = 0;
  int newest_major = 0;
  for (const std::string& folder : folders) {
    const std::string path = folder + "/" + name;
    if (::access(path.c_str(), X_OK) != 0) continue;
    const auto version = TRY(version_of(path));
    const int its_major = std::atoi(version.c_str());
    newest_major = std::max(newest_major, its_major);
    if (its_major < major || (best_major != 0 && its_major >= best_major)) continue;
    best = {path, name + " " + version};
    best_major = its_major;
    if (best_major == major) break;  // Asking each of them takes its time.
  }
  if (best_major != 0) return best;
  const std::string wanted = std::to_string(major);
  return Error{Fault::rejected, Cause::not_found,
               newest_major == 0
                   ? "there is no " + name + " on this machine"
                   : name + " " + std::to_string(newest_major) +
                         " is the newest on this machine, and " + wanted + " is needed",
               "install the package postgresql-client-" + wanted};
}

}  // namespace rowlock
