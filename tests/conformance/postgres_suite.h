// What every Postgres must do, the fake and a real server alike.
#pragma once

#include "controller/ports/postgres.h"

#include <cstdint>
#include <functional>
#include <string>

namespace rowlock {

struct PostgresFixture {
  PostgresAddress server;   // As an administrator that needs its password.
  std::string url_of_none;  // Where no server answers.
  std::int64_t now_ms = 0;  // As the server knows it, more or less.
  std::function<bool(const std::string& role, const std::string& password)> can_log_in;
  // A session of a role, which lasts.
  std::function<bool(const std::string& role, const std::string& password)> open_session;
  std::function<int(const std::string& role)> sessions;
};

// Runs every case, each on roles of its own, and drops them. Failures are reported through
// Criterion and name the case. Requires: there are no roles that begin with "rl_" yet.
void check_postgres(Postgres& postgres, const PostgresFixture& fixture);

}  // namespace rowlock
