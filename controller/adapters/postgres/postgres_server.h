// What is done with the databases of a server as a whole: to list, make, rename and drop them.
#pragma once

#include "controller/adapters/postgres/postgres_connection.h"
#include "controller/adapters/postgres/postgres_disks.h"
#include "controller/ports/database_dumps.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

class PostgresServer {
 public:
  // The connection outlives this; it is to none of the databases that are changed.
  explicit PostgresServer(PostgresConnection& connection) : connection_(connection) {}

  Result<std::vector<ServerDatabase>> list();
  Result<bool> has(const std::string& database);
  // With options of CREATE DATABASE. Rejected when it is there.
  Result<> create(const std::string& database, const std::string& options);
  Result<> drop(const std::string& database);
  Result<> rename(const std::string& from, const std::string& to, const std::string& aside);
  Result<std::optional<PostgresDisks>> disks();  // Of a server on this machine alone.
  void checkpoint();  // Lets go of its log as far as it can be; nothing, without the right to.

  // Whether one of our own programs works in that database and does not wait for others, or has
  // begun or ended a statement within that time.
  Result<bool> is_working_in(const std::string& database, std::int64_t within_ms);

 private:
  using Rows = std::vector<PostgresRow>;

  Result<Rows> ask(const std::string& text, const std::vector<std::string>& values = {});
  Error refusal_error(const PostgresRefusal& refusal) const;
  Result<> end_sessions(const std::string& database);
  // Once: transient when somebody has come back meanwhile.
  Result<> rename_all(const std::vector<std::pair<std::string, std::string>>& names);

  PostgresConnection& connection_;
};

}  // namespace rowlock
