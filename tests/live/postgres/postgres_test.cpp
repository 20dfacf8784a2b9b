// A real PostgreSQL server against the suite that the fake passes, and what a fake cannot show.
// Where PostgreSQL is not installed, nothing is tested.
#include "controller/adapters/postgres/postgres.h"

#include "tests/conformance/postgres_suite.h"
#include "tests/live/haproxy/web_server.h"
#include "tests/live/postgres/postgres_rig.h"

#include <criterion/criterion.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

using namespace rowlock;

namespace {

constexpr char kCreate[] =
    "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// A server and the sessions that roles have there.
struct Served {
  PostgresRig rig;
  LibpqPostgres postgres;
  std::vector<std::unique_ptr<PostgresClient>> sessions;

  bool open_session(const std::string& role, const std::string& password) {
    sessions.push_back(
        std::make_unique<PostgresClient>("127.0.0.1", rig.port(), role, password, "app"));
    return sessions.back()->is_connected();
  }
  PostgresFixture fixture(const PostgresAddress& server) {
    PostgresFixture made;
    made.server = server;
    made.url_of_none = "postgresql://admin@127.0.0.1:" + std::to_string(free_port()) + "/app";
    made.now_ms = now_ms();
    made.can_log_in = [this](const std::string& role, const std::string& password) {
      return rig.can_log_in(role, password);
    };
    made.open_session = [this](const std::string& role, const std::string& password) {
      return open_session(role, password);
    };
    made.sessions = [this](const std::string& role) {
      return std::atoi(
          rig.ask("SELECT count(*) FROM pg_stat_activity WHERE usename = '" + role + "'").c_str());
    };
    return made;
  }
};

PostgresRole role(const std::string& name, const std::vector<std::string>& statements) {
  return {name, std::make_shared<const SecretBytes>(std::string_view("TellNobody42")),
          now_ms() + 3'600'000, statements};
}

void must_be_done(const Result<>& result) {
  cr_assert(result.ok(), "%s", result.ok() ? "" : result.error().message.c_str());
}

}  // namespace

Test(live_postgres, behaves_like_every_server_for_a_mere_administrator, .timeout = 120) {
  Served served;

  check_postgres(served.postgres, served.fixture(served.rig.as_admin()));
}

Test(live_postgres, behaves_like_every_server_for_a_superuser, .timeout = 120) {
  Served served;

  check_postgres(served.postgres, served.fixture(served.rig.as_superuser()));
}

Test(live_postgres, what_a_role_owns_and_may_goes_with_it, .timeout = 120) {
  Served served;
  const PostgresAddress admin = served.rig.as_admin();
  served.rig.ask("GRANT CREATE ON SCHEMA public TO admin WITH GRANT OPTION");
  must_be_done(served.postgres.create_role(
      admin, role("rl_web_1", {kCreate, "GRANT CREATE ON SCHEMA public TO \"{{name}}\""})));
  cr_assert(served.open_session("rl_web_1", "TellNobody42"));
  cr_assert(served.sessions.back()->ask("CREATE TABLE public.mine (n int)").empty());

  must_be_done(served.postgres.drop_role(admin, "rl_web_1", {}));

  cr_expect(served.rig.ask("SELECT count(*) FROM pg_roles WHERE rolname = 'rl_web_1'") == "0");
  cr_expect(served.rig.ask("SELECT count(*) FROM pg_tables WHERE tablename = 'mine'") == "0");
  cr_expect(served.sessions.back()->ask("SELECT 1").starts_with("!"));
}

Test(live_postgres, no_log_of_the_server_has_a_password, .timeout = 120) {
  Served served;
  const PostgresAddress admin = served.rig.as_admin();

  must_be_done(served.postgres.create_role(admin, role("rl_web_1", {kCreate})));
  const auto failed = served.postgres.create_role(
      admin, role("rl_web_2", {kCreate, "COMMENT ON ROLE nobody IS '{{password}}'"}));
  must_be_done(served.postgres.drop_role(admin, "rl_web_1", {}));

  cr_expect(!failed.ok() && failed.error().message.find("SCRAM") == std::string::npos);
  cr_expect(served.rig.log().find("CREATE ROLE \"rl_web_1\"") != std::string::npos);
  cr_expect(served.rig.log().find("TellNobody42") == std::string::npos);
}

Test(live_postgres, a_server_that_says_nothing_is_given_up, .timeout = 60) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof to;
  cr_assert(::bind(listener, reinterpret_cast<sockaddr*>(&to), size) == 0);
  cr_assert(::listen(listener, 8) == 0);
  cr_assert(::getsockname(listener, reinterpret_cast<sockaddr*>(&to), &size) == 0);
  LibpqPostgres postgres({300, 300, 1000});

  const auto begun = std::chrono::steady_clock::now();
  const auto result = postgres.roles(
      {"postgresql://admin@127.0.0.1:" + std::to_string(ntohs(to.sin_port)) + "/app", nullptr},
      "rl_");

  cr_expect(!result.ok() && result.error().cause == Cause::unreachable);
  cr_expect(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
  ::close(listener);
}
