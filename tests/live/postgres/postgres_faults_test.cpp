// What can go wrong with a real PostgreSQL: servers that hang or refuse, administrators who may
// not, statements that do what they should not. Each must come back in time, and say who can mend
// it.
#include "controller/adapters/postgres/postgres.h"
#include "tests/live/postgres/postgres_rig.h"

#include <criterion/criterion.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace rowlock;

namespace {

using Statements = std::vector<std::string>;

constexpr char kPassword[] = "TellNobody42";
constexpr char kCreate[] =
    "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
constexpr PostgresDeadlines kShort{1000, 1000, 4000};

PostgresRole role(const std::string& name, const Statements& statements = {kCreate}) {
  const std::int64_t now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count();
  return {name, std::make_shared<const SecretBytes>(std::string_view(kPassword)),
          now_ms + 3'600'000, statements};
}

template <typename T>
void is_done(const Result<T>& result, const std::string& what) {
  cr_expect(result.ok(), "%s: %s", what.c_str(), result.ok() ? "" : result.error().message.c_str());
}

template <typename T>
void fails(const Result<T>& result, Fault fault, Cause cause, const std::string& words) {
  cr_expect(!result.ok(), "expected an error with: %s", words.c_str());
  if (result.ok()) return;
  const Error& error = result.error();
  cr_expect(error.fault == fault && error.cause == cause, "fault %d cause %d: %s",
            static_cast<int>(error.fault), static_cast<int>(error.cause), error.message.c_str());
  cr_expect(error.message.find(words) != std::string::npos, "expected '%s' in: %s", words.c_str(),
            error.message.c_str());
  cr_expect(fault != Fault::rejected || !error.hint.empty(), "no hint: %s", error.message.c_str());
  cr_expect(error.message.find(kPassword) == std::string::npos, "%s", error.message.c_str());
}

template <typename T>
void is_rejected(const Result<T>& result, const std::string& words) {
  fails(result, Fault::rejected, Cause::other, words);
}

// A macro of Criterion's would look at the text after it has gone.
void is_said(const std::string& said, const std::string& expected) {
  cr_expect(said == expected, "expected '%s', not '%s'", expected.c_str(), said.c_str());
}

class Stopwatch {
 public:
  bool is_under_ms(std::int64_t most) const {
    return std::chrono::steady_clock::now() - begun_ < std::chrono::milliseconds(most);
  }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

std::string count_of(const PostgresRig& rig, const std::string& name) {
  return rig.ask("SELECT count(*) FROM pg_roles WHERE rolname = '" + name + "'");
}

}  // namespace

// ---- Time --------------------------------------------------------------------------------------

Test(live_postgres_faults, a_server_that_hangs_or_stops_is_given_up_and_found_again,
     .timeout = 120) {
  PostgresRig rig;
  LibpqPostgres postgres(kShort);
  is_done(postgres.create_role(rig.as_admin(), role("rl_web_1")), "create");

  rig.freeze();
  const Stopwatch frozen;
  fails(postgres.roles(rig.as_admin(), "rl_"), Fault::transient, Cause::unreachable,
        "no connection within 1000 ms");
  cr_expect(frozen.is_under_ms(3000));
  rig.thaw();
  is_done(postgres.roles(rig.as_admin(), "rl_"), "roles once it goes on");

  rig.stop();
  fails(postgres.roles(rig.as_admin(), "rl_"), Fault::transient, Cause::unreachable, "refused");
  rig.start();
  is_done(postgres.drop_role(rig.as_admin(), "rl_web_1", {}), "drop once it is back");
}

Test(live_postgres_faults, a_statement_that_takes_too_long_is_given_up, .timeout = 120) {
  PostgresRig rig;
  LibpqPostgres postgres(kShort);
  int number = 0;
  const auto create = [&](const Statements& statements) {
    return postgres.create_role(rig.as_admin(),
                                role("rl_web_" + std::to_string(++number), statements));
  };

  const Stopwatch by_the_server;
  fails(create({kCreate, "SELECT pg_sleep(30)"}), Fault::transient, Cause::other,
        "statement 2 of database_role.create_statements");
  cr_expect(by_the_server.is_under_ms(3000));
  const Stopwatch by_us;
  fails(create({kCreate, "SET LOCAL statement_timeout = 0", "SELECT pg_sleep(60)"}),
        Fault::transient, Cause::deadline, "did not answer in time");
  cr_expect(by_us.is_under_ms(3000));
  const Stopwatch all_in_all;
  const Statements slow(20, "SELECT pg_sleep(0.5)");
  fails(create(slow), Fault::transient, Cause::deadline, "did not answer in time");
  cr_expect(all_in_all.is_under_ms(6000));
  fails(create({kCreate, "SELECT pg_terminate_backend(pg_backend_pid())"}), Fault::transient,
        Cause::deadline, "the connection was lost");

  is_said(rig.ask("SELECT count(*) FROM pg_roles WHERE rolname ~ '^rl_'"), "0");
  LibpqPostgres patient;
  const Stopwatch again;
  is_done(patient.create_role(rig.as_admin(), role("rl_web_2")), "create what was given up");
  cr_expect(again.is_under_ms(5000));
}

Test(live_postgres_faults, whoever_works_on_the_same_role_is_waited_for, .timeout = 120) {
  PostgresRig rig;
  LibpqPostgres postgres(kShort);
  PostgresClient other(rig.socket_folder(), rig.port(), "postgres", "", "app");
  other.ask("SELECT pg_advisory_lock(hashtext('rowlock'), hashtext('rl_web_1'))");

  fails(postgres.create_role(rig.as_admin(), role("rl_web_1")), Fault::transient, Cause::other,
        "SQLSTATE 55P03");
  is_done(postgres.create_role(rig.as_admin(), role("rl_web_2")), "create another one");
  other.ask("SELECT pg_advisory_unlock_all()");
  is_done(postgres.create_role(rig.as_admin(), role("rl_web_1")), "create");
}

// ---- Who may -----------------------------------------------------------------------------------

Test(live_postgres_faults, a_refusal_says_who_can_mend_it, .timeout = 120) {
  PostgresRig rig;
  LibpqPostgres postgres;
  rig.ask("CREATE ROLE nobody LOGIN PASSWORD 'Nobody0'");
  rig.ask("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0 PASSWORD 'Crowded0'");
  rig.ask("REVOKE CONNECT ON DATABASE other FROM PUBLIC");
  const auto roles = [&](const PostgresAddress& server) { return postgres.roles(server, "rl_"); };

  is_rejected(roles(rig.as("admin", "Wrong0")), "SQLSTATE 28P01");
  is_rejected(roles(rig.as("stranger", "Wrong0")), "SQLSTATE 28P01");
  is_rejected(roles(rig.as("admin", "Admin0Password", "missing")), "SQLSTATE 3D000");
  is_rejected(roles(rig.as("admin", "Admin0Password", "other")), "SQLSTATE 42501");
  is_rejected(roles({rig.as_admin().url, nullptr}), "asks for a password");
  is_rejected(roles({rig.as_admin().url + "?sslmode=require", rig.as_admin().password}), "SSL");
  is_rejected(roles({rig.as_admin().url + "?port=99999", rig.as_admin().password}), "port");
  is_rejected(roles({rig.as_admin().url + "?service=x", nullptr}), "names a file");
  fails(roles(rig.as("crowded", "Crowded0")), Fault::transient, Cause::other, "SQLSTATE 53300");

  const auto unable = postgres.create_role(rig.as("nobody", "Nobody0"), role("rl_web_1"));
  is_rejected(unable, "statement 1 of database_role.create_statements");
  is_done(postgres.create_role(rig.as_admin(), role("rl_web_1")), "create");
  const auto renewed = postgres.renew_role(rig.as("nobody", "Nobody0"), "rl_web_1", 1);
  is_rejected(renewed, "SQLSTATE 42501");
  cr_expect(renewed.error().hint.find("ALTER ROLE \"nobody\" CREATEROLE") != std::string::npos);
}

Test(live_postgres_faults, the_administrator_is_never_dropped, .timeout = 120) {
  PostgresRig rig;
  LibpqPostgres postgres;

  is_rejected(postgres.drop_role(rig.as_admin(), "admin", {}), "the administrator itself");
  is_rejected(postgres.create_role(rig.as_superuser(), role("postgres")),
              "the administrator itself");
  is_rejected(postgres.drop_role(rig.as_admin(), "postgres", {}), "SQLSTATE 42501");

  cr_expect(rig.can_log_in("admin", "Admin0Password"));
  is_said(rig.ask("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'postgres'"), "t");
}

Test(live_postgres_faults, how_a_server_is_reached_is_said_by_its_url_alone, .timeout = 120) {
  PostgresRig rig;
  for (const auto& [name, value] :
       {std::pair("PGPASSWORD", "Wrong0"), std::pair("PGSERVICE", "none"),
        std::pair("PGHOSTADDR", "127.0.0.9"), std::pair("PGSSLMODE", "require"),
        std::pair("PGOPTIONS", "-c statement_timeout=1")}) {
    ::setenv(name, value, 1);
  }
  LibpqPostgres postgres;

  is_done(postgres.create_role(rig.as_admin(), role("rl_web_1")), "create");
  is_rejected(postgres.roles({rig.as_admin().url, nullptr}, "rl_"), "asks for a password");
  const std::string socket = "postgresql:///app?user=postgres&host=" + rig.socket_folder() +
                             "&port=" + std::to_string(rig.port());
  is_done(postgres.drop_role({socket, nullptr}, "rl_web_1", {}), "drop over the socket");
  fails(postgres.roles({"postgresql:///app?host=/nowhere", nullptr}, "rl_"), Fault::transient,
        Cause::unreachable, "No such file");
}

// ---- What a role has ---------------------------------------------------------------------------

Test(live_postgres_faults, what_it_has_in_other_databases_is_named, .timeout = 120) {
  PostgresRig rig;
  LibpqPostgres postgres;
  is_done(postgres.create_role(rig.as_admin(), role("rl_web_1")), "create");
  rig.ask("CREATE SCHEMA theirs AUTHORIZATION rl_web_1", "other");

  for (int round = 0; round < 2; ++round) {
    is_rejected(postgres.drop_role(rig.as_admin(), "rl_web_1", {}), "of that server: other");
  }
  cr_expect(!rig.can_log_in("rl_web_1", kPassword));
  is_rejected(postgres.create_role(rig.as_admin(), role("rl_web_1")), "of that server: other");
  rig.ask("DROP OWNED BY rl_web_1", "other");
  is_done(postgres.drop_role(rig.as_admin(), "rl_web_1", {}), "drop");
}

Test(live_postgres_faults, a_member_of_the_administrator_is_dropped_with_its_locks,
     .timeout = 120) {
  PostgresRig rig;
  LibpqPostgres postgres;
  rig.ask("GRANT CREATE ON SCHEMA public TO admin WITH GRANT OPTION");
  is_done(
      postgres.create_role(rig.as_admin(), role("rl_web_1", {kCreate, "GRANT admin TO {{name}}"})),
      "create");
  PostgresClient session("127.0.0.1", rig.port(), "rl_web_1", kPassword, "app");
  session.ask("CREATE TABLE public.mine (n int)");
  session.ask("BEGIN");
  is_said(session.ask("LOCK TABLE public.mine"), "");

  for (int round = 0; round < 2; ++round) {
    is_done(postgres.drop_role(rig.as_admin(), "rl_web_1", {}), "drop");
    is_said(count_of(rig, "rl_web_1"), "0");
  }
  cr_expect(session.ask("SELECT 1").starts_with("!"));
  is_said(rig.ask("SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"), "0");
}

// ---- Statements --------------------------------------------------------------------------------

Test(live_postgres_faults, statements_do_not_leave_the_transaction, .timeout = 120) {
  PostgresRig rig;
  LibpqPostgres postgres;
  const auto create = [&](const Statements& statements) {
    return postgres.create_role(rig.as_admin(), role("rl_web_1", statements));
  };
  const std::string second = "statement 2 of database_role.create_statements: ";

  is_rejected(create({kCreate, "COPY pg_class FROM STDIN"}), second);
  is_rejected(create({kCreate, "COPY pg_class TO STDOUT"}), second + "COPY");
  is_rejected(create({kCreate, "ROLLBACK"}), second + "it ends the transaction");
  is_rejected(create({kCreate, "CREATE DATABASE more"}), second);
  is_rejected(create({kCreate, std::string("SELECT 1\0", 9)}), second + "there is a NUL");
  is_rejected(create({kCreate, "DROP ROLE {{name}}"}), "made no role named rl_web_1");
  is_rejected(create({kCreate, "GRANT rl_missing TO {{name}}"}), second);
  is_rejected(create({}), "made no role named rl_web_1");
  is_said(count_of(rig, "rl_web_1"), "0");

  const std::string two = std::string(kCreate) + "; COMMENT ON ROLE {{name}} IS 'both';";
  is_done(create({two, "", "SELECT 1; SELECT generate_series(1, 200000)"}), "create");
  cr_expect(rig.can_log_in("rl_web_1", kPassword));
  is_done(postgres.drop_role(rig.as_admin(), "rl_web_1", {"DROP ROLE \"{{name}}\""}), "drop");
}

Test(live_postgres_faults, no_error_and_no_log_shows_a_password_or_its_verifier, .timeout = 120) {
  PostgresRig rig;
  LibpqPostgres postgres;
  for (const char* statement :
       {"CREATE ROLE {{name}} PASSWORD {{password}}",
        "CREATE ROLE {{name}} PASSWORD '{{password}}''", "SELECT '{{password}}'::int",
        "SELECT \"{{password}}\"",
        "DO $$BEGIN RAISE EXCEPTION '%', split_part('{{password}}', ':', 2); END$$"}) {
    const auto failed = postgres.create_role(rig.as_admin(), role("rl_web_1", {statement}));
    is_rejected(failed, "statement 1");
    cr_expect(failed.error().message.find("4096:") == std::string::npos &&
                  failed.error().message.find('$') == std::string::npos,
              "%s", failed.error().message.c_str());
  }
  rig.ask("ALTER SYSTEM SET password_encryption = md5");
  rig.ask("SELECT pg_reload_conf()");
  is_done(postgres.create_role(rig.as_admin(), role("rl_web_1")), "create");

  cr_expect(rig.can_log_in("rl_web_1", kPassword));
  is_said(rig.ask("SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname = 'rl_web_1'"),
          "SCRAM-SHA-256$");
  const std::string log = rig.log();
  cr_expect(log.find("CREATE ROLE \"rl_web_1\"") != std::string::npos);
  cr_expect(log.find(kPassword) == std::string::npos);
}

Test(live_postgres_faults, names_mean_the_systems_own_but_in_statements, .timeout = 120) {
  PostgresRig rig;
  LibpqPostgres postgres;
  // Traps, found before the system's own.
  for (const char* statement :
       {"CREATE SCHEMA stuff; CREATE TABLE stuff.things (n int)",
        "CREATE FUNCTION stuff.hashtext(text) RETURNS int LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'trapped'; END$$",
        "CREATE VIEW stuff.pg_roles AS SELECT 1 AS oid, 'none' AS rolname",
        "ALTER ROLE postgres SET search_path = stuff, public, pg_catalog"}) {
    is_said(rig.ask(statement), "");
  }

  is_done(postgres.create_role(rig.as_superuser(),
                               role("rl_web_1", {kCreate, "GRANT SELECT ON things TO {{name}}",
                                                 "GRANT USAGE ON SCHEMA stuff TO {{name}}"})),
          "create");
  is_said(rig.ask_as("rl_web_1", kPassword, "SELECT count(*) FROM stuff.things"), "0");
  is_done(postgres.drop_role(rig.as_superuser(), "rl_web_1", {}), "drop");
}
