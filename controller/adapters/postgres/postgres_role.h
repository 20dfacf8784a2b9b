// One role of a PostgreSQL server at work: the steps that its calls are made of. An administrator
// need not be a superuser, CREATEROLE is enough; what that takes beyond is done here.
#pragma once

#include "controller/adapters/postgres/postgres_connection.h"
#include "controller/adapters/postgres/postgres_text.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

// All of it is done between begin() and commit(). After an error nothing more may be asked: the
// connection's end undoes what was not committed.
class PostgresRoleWork {
 public:
  // Requires: `name` is_role_name(). The connection outlives this.
  PostgresRoleWork(PostgresConnection& connection, std::string name)
      : connection_(connection), name_(std::move(name)) {}

  // Waits for whoever else works on this role, a call that was given up included.
  Result<> begin();
  Result<> commit();

  // Its number in the server; nothing when there is no such role. Rejected when it is the one that
  // is connected.
  Result<std::optional<std::string>> look();
  Result<> forbid_login();
  Result<> set_end(std::int64_t valid_until_ms);

  // Drops it and what it owns in this database, after its sessions have ended and the statements
  // were run; does nothing when it is not there.
  Result<> clear_away(const std::vector<std::string>& drop_statements);

  // Runs the statements, and looks whether they have made a role that can log in; one without an
  // end is given it.
  Result<> make(const std::vector<std::string>& statements, const std::string& verifier,
                std::int64_t valid_until_ms);

 private:
  using Rows = std::vector<PostgresRow>;

  Result<Rows> ask(const std::string& text, const std::vector<std::string>& values = {});
  std::string quoted() const { return '"' + name_ + '"'; }
  Result<> gain_its_rights(const std::string& number);
  Result<> end_sessions(const std::string& number);
  Result<> check_other_databases(const std::string& number);
  // The engineer's; `column` is where they stand.
  Result<> run(const std::vector<std::string>& statements, const PostgresBlanks& blanks,
               const std::string& column);
  Result<> check_made(std::int64_t valid_until_ms);

  PostgresConnection& connection_;
  std::string name_;
};

}  // namespace rowlock
