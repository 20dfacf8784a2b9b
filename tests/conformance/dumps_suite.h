// What every DatabaseDumps must do, the fake and a real server alike.
#pragma once

#include "controller/ports/database_dumps.h"
#include "controller/ports/postgres.h"

#include <functional>
#include <string>

namespace rowlock {

struct DumpsFixture {
  PostgresAddress server;  // By a database that is not changed.
  std::function<PostgresAddress(const std::string& database)> address_of;
  std::string url_of_none;  // Where no server answers.
  // Makes a database with two tables, one of them empty, a sequence and a large object.
  std::function<void(const std::string& database)> make;
  std::function<void(const std::string& database)> change_one_row;
  // A session in it, which lasts until it is ended.
  std::function<void(const std::string& database)> open_session;
  std::string query;   // Whose answer in a database that was made is
  std::string answer;  // this.
  std::string change;  // A query that would change something.
};

// Runs every case, each on databases of its own whose names begin with "rl_", and drops them.
// Failures are reported through Criterion and name the case.
void check_dumps(DatabaseDumps& dumps, const DumpsFixture& fixture);

}  // namespace rowlock
