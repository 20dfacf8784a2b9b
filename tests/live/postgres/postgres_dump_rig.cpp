// The children of a dump are found in /proc, since the adapter tells nobody about them.
#include "tests/live/postgres/postgres_dump_rig.h"

#include <criterion/criterion.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <unistd.h>

namespace rowlock {

namespace fs = std::filesystem;

PostgresAddress PostgresDumpRig::address(const std::string& database) const {
  return rig.as("postgres", "Superuser0Password", database);
}

void PostgresDumpRig::run(const std::vector<std::string>& statements,
                          const std::string& database) const {
  for (const std::string& statement : statements) {
    const std::string said = rig.ask(statement, database);
    cr_assert(!said.starts_with("!"), "%s: %s", statement.c_str(), said.c_str());
  }
}

void PostgresDumpRig::fill(const std::string& database) const {
  run({"CREATE TABLE big AS SELECT n, md5(n::text) AS t FROM generate_series(1, 100000) AS n",
       "CREATE TABLE small (n serial, t text)", "INSERT INTO small (t) VALUES ('one')"},
      database);
}

Result<DumpFacts> PostgresDumpRig::dump(MemoryMembers& members, const std::string& database) {
  return dumps.dump({address(database)}, jobs, members, ending);
}

Result<RestoredDump> PostgresDumpRig::restore(const MemoryMembers& members,
                                              const std::string& database) {
  return dumps.restore({address("postgres"), database}, members.member("globals.sql"),
                       dump_in(members), ending);
}

DatabaseFacts PostgresDumpRig::comes_back_as(const std::string& database, const std::string& copy) {
  MemoryMembers members;
  const auto dumped = dump(members, database);
  cr_assert(dumped.ok(), "%d jobs: %s", jobs, dumped.ok() ? "" : dumped.error().message.c_str());
  const auto restored = restore(members, copy);
  cr_assert(restored.ok(), "%d jobs: %s", jobs,
            restored.ok() ? "" : restored.error().message.c_str());
  const std::string differs = difference(dumped.value().content, facts(copy));
  cr_expect(differs.empty(), "%d jobs: %s", jobs, differs.c_str());
  return dumped.value().content;
}

DatabaseFacts PostgresDumpRig::comes_back(const std::string& database) {
  jobs = 3;
  (void)comes_back_as(database, "copy_of_parts");
  cr_assert(dumps.drop(address("postgres"), "copy_of_parts").ok());
  jobs = 1;
  return comes_back_as(database, "copy");
}

DatabaseFacts PostgresDumpRig::facts(const std::string& database) {
  const std::atomic<bool> never{false};
  const auto read = dumps.facts(address(database), never);
  cr_assert(read.ok(), "%s", read.ok() ? "" : read.error().message.c_str());
  return read.value();
}

std::string PostgresDumpRig::databases() const {
  return rig.ask(
      "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database "
      "WHERE NOT datistemplate",
      "postgres");
}

std::vector<pid_t> own_children(const std::string& name) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& each : fs::directory_iterator("/proc", ignored)) {
    std::ifstream file(each.path() / "stat");
    std::string stat;
    if (!std::getline(file, stat)) continue;
    // NUMBER (NAME) STATE PARENT …
    const std::size_t open = stat.find('(');
    const std::size_t close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos) continue;
    std::istringstream rest(stat.substr(close + 1));
    std::string state;
    pid_t parent = 0;
    rest >> state >> parent;
    if (parent == ::getpid() && state != "Z" && stat.substr(open + 1, close - open - 1) == name) {
      found.push_back(std::atoi(stat.c_str()));
    }
  }
  return found;
}

}  // namespace rowlock
