// A real server with databases to dump, and what can be done to a dump on its way.
#pragma once

#include "controller/adapters/postgres/postgres_dump.h"
#include "controller/backup/content.h"
#include "tests/fakes/memory_members.h"
#include "tests/live/postgres/postgres_rig.h"

#include <atomic>
#include <string>
#include <sys/types.h>
#include <vector>

namespace rowlock {

class PostgresDumpRig {
 public:
  explicit PostgresDumpRig(const PostgresDumpLimits& limits = {}) : dumps(limits) {}

  PostgresAddress address(const std::string& database) const;
  // As the superuser; each must be done.
  void run(const std::vector<std::string>& statements, const std::string& database = "app") const;
  // A table of some MB, so that a dump of it is under way for a while.
  void fill(const std::string& database = "app") const;

  Result<DumpFacts> dump(MemoryMembers& members, const std::string& database = "app");
  Result<RestoredDump> restore(const MemoryMembers& members, const std::string& database = "copy");
  // Dumped, restored elsewhere and found equal, in parts and as a whole; what was restored stays as
  // "copy".
  DatabaseFacts comes_back(const std::string& database = "app");
  // That must be read.
  DatabaseFacts facts(const std::string& database);
  std::string databases() const;  // Their names, but for templates.

  PostgresRig rig;
  PostgresDumps dumps;
  int jobs = 1;
  std::atomic<bool> ending{false};

 private:
  DatabaseFacts comes_back_as(const std::string& database, const std::string& copy);
};

// The processes of that name that this one has started and that run now.
std::vector<pid_t> own_children(const std::string& name);

}  // namespace rowlock
