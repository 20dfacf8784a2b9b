// PostgreSQL's own programs: pg_dump, pg_dumpall, pg_restore, of the version that fits the server.
#pragma once

#include "controller/base/result.h"

#include <string>
#include <vector>

namespace rowlock {

struct PostgresProgram {
  std::string path;
  std::string version;  // "pg_dump 15.16"
};

// Where they are looked for: /usr/lib/postgresql/*/bin, then PATH.
std::vector<std::string> postgres_folders();

// The oldest one there is whose major version is at least that, for a newer one may write what an
// older server does not understand. Rejected, with what to install, when there is none.
Result<PostgresProgram> postgres_program(const std::string& name, int major,
                                         const std::vector<std::string>& folders);

}  // namespace rowlock
