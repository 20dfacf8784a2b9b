// Each call is connect, begin, act, commit. What makes a role what it is stands in
// postgres_role.cpp; here it is decided what belongs to one transaction.
#include "controller/adapters/postgres/postgres.h"

#include "controller/adapters/postgres/postgres_role.h"
#include "controller/adapters/postgres/postgres_text.h"

#include <utility>

namespace rowlock {

namespace {

Error attempted(const std::string& attempt, Error error) {
  error.message = attempt + ": " + error.message;
  return error;
}

}  // namespace

LibpqPostgres::LibpqPostgres(PostgresDeadlines deadlines) : deadlines_(deadlines) {
  forget_libpq_environment();
}

template <typename Act>
auto LibpqPostgres::connected(const PostgresAddress& server, const std::string& attempt, Act act)
    -> decltype(act(std::declval<PostgresConnection&>())) {
  const auto opened = PostgresConnection::open(server, deadlines_);
  if (!opened.ok()) return attempted(attempt, opened.error());
  PostgresConnection& connection = *opened.value();
  auto result = act(connection);
  if (!result.ok()) return attempted(attempt + ": " + connection.place(), result.error());
  return result;
}

Result<> LibpqPostgres::create_role(const PostgresAddress& server, const PostgresRole& role) {
  CHECK(role.password != nullptr);
  const std::string attempt = "create the role " + postgres_line(role.name);
  if (const auto named = check_role_name(role.name); !named.ok()) {
    return attempted(attempt, named.error());
  }
  return connected(server, attempt, [&](PostgresConnection& connection) -> Result<> {
    const auto verifier = TRY(connection.scram_verifier(role.name, *role.password));
    PostgresRoleWork work(connection, role.name);
    if (const auto begun = work.begin(); !begun.ok()) return begun;
    if (const auto cleared = work.clear_away({}); !cleared.ok()) return cleared;
    const auto made = work.make(role.statements, verifier, role.valid_until_ms);
    if (!made.ok()) return made;
    return work.commit();
  });
}

Result<> LibpqPostgres::renew_role(const PostgresAddress& server, const std::string& name,
                                   std::int64_t valid_until_ms) {
  const std::string attempt = "renew the role " + postgres_line(name);
  if (const auto named = check_role_name(name); !named.ok()) {
    return attempted(attempt, named.error());
  }
  return connected(server, attempt, [&](PostgresConnection& connection) -> Result<> {
    PostgresRoleWork work(connection, name);
    if (const auto begun = work.begin(); !begun.ok()) return begun;
    const auto found = TRY(work.look());
    if (!found) {
      return Error{Fault::transient, Cause::not_found, "there is no such role", ""};
    }
    if (const auto set = work.set_end(valid_until_ms); !set.ok()) return set;
    return work.commit();
  });
}

Result<> LibpqPostgres::drop_role(const PostgresAddress& server, const std::string& name,
                                  const std::vector<std::string>& statements) {
  const std::string attempt = "drop the role " + postgres_line(name);
  if (const auto named = check_role_name(name); !named.ok()) {
    return attempted(attempt, named.error());
  }
  return connected(server, attempt, [&](PostgresConnection& connection) -> Result<> {
    PostgresRoleWork work(connection, name);
    if (const auto begun = work.begin(); !begun.ok()) return begun;
    const auto found = TRY(work.look());
    if (!found) return Done{};
    // Committed by itself, or what ends the sessions would race with new ones.
    if (const auto forbidden = work.forbid_login(); !forbidden.ok()) return forbidden;
    if (const auto done = work.commit(); !done.ok()) return done;
    if (const auto begun = work.begin(); !begun.ok()) return begun;
    if (const auto cleared = work.clear_away(statements); !cleared.ok()) return cleared;
    return work.commit();
  });
}

Result<std::vector<std::string>> LibpqPostgres::roles(const PostgresAddress& server,
                                                      const std::string& prefix) {
  using Names = std::vector<std::string>;
  const std::string attempt = "list the roles " + postgres_line(prefix) + "*";
  if (!prefix.empty()) {
    if (const auto named = check_role_name(prefix); !named.ok()) {
      return attempted(attempt, named.error());
    }
  }
  return connected(server, attempt, [&](PostgresConnection& connection) -> Result<Names> {
    // No LIKE: '_' would stand for any character.
    const auto found = TRY(connection.ask(
        "SELECT rolname FROM pg_roles WHERE left(rolname::text, length($1)) = $1::text "
        "ORDER BY rolname",
        {prefix}));
    if (found.is_refused()) return refused(found.refusal, connection.user());
    if (found.has_more_rows) {
      return Error{Fault::rejected, Cause::other, "there are too many of them", "drop some"};
    }
    Names names;
    for (const PostgresRow& row : found.rows) names.push_back(row.front());
    return names;
  });
}

}  // namespace rowlock
