// Roles in PostgreSQL servers, through libpq. What each call does is said in the port; this file
// says it in SQL: one connection a call, and one transaction, so that a call that is cut off leaves
// a role as it was before or as it should be after.
#pragma once

#include "controller/adapters/postgres/postgres_connection.h"
#include "controller/ports/postgres.h"

#include <cstdint>
#include <string>
#include <vector>

namespace rowlock {

class LibpqPostgres final : public Postgres {
 public:
  // Requires: no other thread reads the environment while this is made.
  explicit LibpqPostgres(PostgresDeadlines deadlines = {});

  Result<> create_role(const PostgresAddress& server, const PostgresRole& role) override;
  Result<> renew_role(const PostgresAddress& server, const std::string& name,
                      std::int64_t valid_until_ms) override;
  // From its beginning the role can log in no more, whatever becomes of the rest.
  Result<> drop_role(const PostgresAddress& server, const std::string& name,
                     const std::vector<std::string>& statements) override;
  Result<std::vector<std::string>> roles(const PostgresAddress& server,
                                         const std::string& prefix) override;

 private:
  template <typename Act>
  auto connected(const PostgresAddress& server, const std::string& attempt, Act act)
      -> decltype(act(std::declval<PostgresConnection&>()));

  PostgresDeadlines deadlines_;
};

}  // namespace rowlock
