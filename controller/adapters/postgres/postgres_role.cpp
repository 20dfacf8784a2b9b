// PostgreSQL asks for much before a role can go: no sessions, nothing that it owns in any database,
// and rights over it. The steps are in the order in which the server demands them.
#include "controller/adapters/postgres/postgres_role.h"

#include <poll.h>

namespace rowlock {

namespace {

constexpr int kLooksAtSessionsMax = 100;
constexpr int kPauseMs = 50;

// Of our own statements the role alone: somebody else has dropped it after we looked.
constexpr char kUndefinedObject[] = "42704";

constexpr char kCreateColumn[] = "database_role.create_statements";
constexpr char kDropColumn[] = "database_role.drop_statements";

}  // namespace

Result<PostgresRoleWork::Rows> PostgresRoleWork::ask(const std::string& text,
                                                     const std::vector<std::string>& values) {
  Result<PostgresAnswer> answer = connection_.ask(text, values);
  if (!answer.ok()) return answer.error();
  const PostgresRefusal& refusal = answer.value().refusal;
  if (refusal.sqlstate == kUndefinedObject) {
    return Error{Fault::transient, Cause::not_found, "there is no such role", ""};
  }
  if (answer.value().is_refused()) return refused(refusal, connection_.user());
  return std::move(answer).value().rows;
}

// ---- The transaction ---------------------------------------------------------------------------

Result<> PostgresRoleWork::begin() {
  TRY(ask("BEGIN"));
  // A statement of its own: those after it then see what the one before us has committed.
  TRY(ask("SELECT pg_advisory_xact_lock(hashtext('rowlock'), hashtext($1))", {name_}));
  return Done{};
}

Result<> PostgresRoleWork::commit() {
  TRY(ask("COMMIT"));
  return Done{};
}

// ---- The role ----------------------------------------------------------------------------------

Result<std::optional<std::string>> PostgresRoleWork::look() {
  const auto found = TRY(
      ask("SELECT oid, rolname IN (current_user, session_user) FROM pg_roles WHERE rolname = $1",
          {name_}));
  if (found.empty()) return std::optional<std::string>();
  const PostgresRow& role = found.front();
  if (role[1] == "t") {
    return Error{Fault::rejected, Cause::other, "it is the administrator itself",
                 "let database.url name another user"};
  }
  return std::optional<std::string>(role[0]);
}

Result<> PostgresRoleWork::forbid_login() {
  TRY(ask("ALTER ROLE " + quoted() + " NOLOGIN"));
  return Done{};
}

Result<> PostgresRoleWork::set_end(std::int64_t valid_until_ms) {
  TRY(ask("ALTER ROLE " + quoted() + " VALID UNTIL '" + postgres_time(valid_until_ms) + "'"));
  return Done{};
}

Result<> PostgresRoleWork::clear_away(const std::vector<std::string>& drop_statements) {
  auto found = look();
  if (!found.ok()) return found.error();
  if (!found.value()) return Done{};
  const std::string number = *found.value();
  if (const auto able = gain_its_rights(number); !able.ok()) return able;
  if (const auto ended = end_sessions(number); !ended.ok()) return ended;
  if (!drop_statements.empty()) {
    const auto run_well = run(drop_statements, PostgresBlanks{name_, "", ""}, kDropColumn);
    if (!run_well.ok()) return run_well;
    found = look();
    if (!found.ok()) return found.error();
    if (!found.value()) return Done{};
  }
  TRY(ask("DROP OWNED BY " + quoted()));
  if (const auto free = check_other_databases(number); !free.ok()) return free;
  TRY(ask("DROP ROLE " + quoted()));
  return Done{};
}

// Its sessions and what it owns are for those who have its rights. Where the administrator is
// itself what the role was made a member of, that comes first: no membership goes in a circle.
Result<> PostgresRoleWork::gain_its_rights(const std::string& number) {
  const auto has = TRY(ask("SELECT pg_has_role($1::oid, 'USAGE')", {number}));
  if (has.front().front() == "t") return Done{};
  const auto circles =
      TRY(ask("SELECT quote_ident(above.rolname) FROM pg_auth_members AS membership "
              "JOIN pg_roles AS above ON above.oid = membership.roleid "
              "JOIN pg_roles AS admin ON admin.rolname = current_user "
              "WHERE membership.member = $1::oid AND pg_has_role(above.oid, admin.oid, 'MEMBER') "
              "ORDER BY above.oid",
              {number}));
  for (const PostgresRow& above : circles) {
    TRY(ask("REVOKE " + above.front() + " FROM " + quoted()));
  }
  TRY(ask("GRANT " + quoted() + " TO CURRENT_USER"));
  return Done{};
}

// A session lives on without its role, so each must have ended before that goes.
Result<> PostgresRoleWork::end_sessions(const std::string& number) {
  for (int looks = 0; looks < kLooksAtSessionsMax; ++looks) {
    // Within a transaction the server would give the first answer again.
    TRY(ask("SELECT pg_stat_clear_snapshot()"));
    const auto ended =
        TRY(ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usesysid = $1::oid AND pid <> pg_backend_pid()",
                {number}));
    if (ended.empty()) return Done{};
    ::poll(nullptr, 0, kPauseMs);
  }
  return Error{Fault::transient, Cause::other, "its sessions do not end", ""};
}

// A connection reaches one database alone, and dropping fails while there is anything in another.
Result<> PostgresRoleWork::check_other_databases(const std::string& number) {
  const auto found =
      TRY(ask("SELECT DISTINCT quote_ident(other.datname) AS name FROM pg_shdepend AS used "
              "JOIN pg_database AS other ON other.oid = used.dbid "
              "WHERE used.refclassid = 'pg_authid'::regclass AND used.refobjid = $1::oid "
              "AND other.datname <> current_database() ORDER BY name",
              {number}));
  if (found.empty()) return Done{};
  std::string databases;
  for (const PostgresRow& each : found) {
    databases += (databases.empty() ? "" : ", ") + each.front();
  }
  return Error{Fault::rejected, Cause::other,
               "it still owns something, or has rights, in other databases of that server: " +
                   postgres_line(databases),
               "in each of them, as an administrator: DROP OWNED BY " + quoted()};
}

// ---- The engineer's statements -----------------------------------------------------------------

// They mean the names that the administrator's own sessions mean, and may not leave the
// transaction: what comes after would not be undone with it.
Result<> PostgresRoleWork::run(const std::vector<std::string>& statements,
                               const PostgresBlanks& blanks, const std::string& column) {
  TRY(ask("SET LOCAL search_path TO DEFAULT"));
  int number = 0;
  for (const std::string& statement : statements) {
    ++number;
    auto answer = connection_.ask(filled_in(statement, blanks));
    if (!answer.ok()) {
      Error error = answer.error();
      error.message = "statement " + std::to_string(number) + " of " + column + ": " +
                      without_verifier(error.message, blanks.password);
      return error;
    }
    PostgresRefusal refusal = answer.value().refusal;
    if (refusal.sqlstate.empty()) {
      if (connection_.is_in_transaction()) continue;
      refusal = {"25000", "it ends the transaction that all of them are run in", ""};
    }
    refusal.message = without_verifier(refusal.message, blanks.password);
    refusal.detail.clear();  // It may show rows.
    return statement_refused(refusal, number, column, connection_.user());
  }
  TRY(ask("RESET ROLE; SET LOCAL search_path = pg_catalog"));
  return Done{};
}

Result<> PostgresRoleWork::make(const std::vector<std::string>& statements,
                                const std::string& verifier, std::int64_t valid_until_ms) {
  const PostgresBlanks blanks{name_, verifier, postgres_time(valid_until_ms)};
  if (const auto made = run(statements, blanks, kCreateColumn); !made.ok()) return made;
  return check_made(valid_until_ms);
}

Result<> PostgresRoleWork::check_made(std::int64_t valid_until_ms) {
  const auto made = TRY(
      ask("SELECT rolcanlogin, rolvaliduntil IS NULL FROM pg_roles WHERE rolname = $1", {name_}));
  const std::string statements = std::string("the statements of ") + kCreateColumn;
  if (made.empty()) {
    return Error{Fault::rejected, Cause::other, statements + " made no role named " + name_,
                 "have one of them CREATE ROLE \"{{name}}\""};
  }
  if (made.front()[0] != "t") {
    return Error{Fault::rejected, Cause::other,
                 statements + " made a role that cannot log in: " + name_,
                 "have them CREATE ROLE \"{{name}}\" LOGIN"};
  }
  return made.front()[1] == "t" ? set_end(valid_until_ms) : Done{};
}

}  // namespace rowlock
