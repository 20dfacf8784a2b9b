// An instance's login from end to end: the plan and its hands on a real PostgreSQL server.
#include "controller/adapters/postgres/postgres.h"
#include "controller/adapters/postgres/postgres_dump.h"
#include "tests/live/postgres/postgres_rig.h"
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>

#include <chrono>
#include <string>

using namespace rowlock;

namespace {

const Actor kOperator{"user 0", "[]", true};

std::int64_t real_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// A platform of one job with a real database; its engine is a fake.
struct Platform : PlanWorld {
  PostgresRig rig;
  LibpqPostgres real;
  PostgresDumps real_dumps;

  Platform() {
    pass_time_without_settling(real_now_ms() - now_ms());
    sql("SAVEPOINT init");
    cr_assert(secrets().seal.init(1, 1, kOperator, now_ms()).ok());
    const PostgresAddress admin = rig.as_admin();
    const Json map =
        Json::object({{"password", Json::string(std::string(admin.password->view()))}});
    cr_assert(secrets().store.write("db/admin", map, {}, kOperator, now_ms()).ok());
    sql("RELEASE init");
    sql("INSERT INTO database (name, url, secret) VALUES ('main', '" + admin.url +
        "', 'db/admin'); INSERT INTO database_role (name, database) VALUES ('app', 'main');"
        "INSERT INTO job (name, image, min_healthy_ms) VALUES ('web', 'good:1', 1000);"
        "INSERT INTO policy (name, path) VALUES ('web', 'database/creds/app');"
        "INSERT INTO job_policy (job, policy) VALUES ('web', 'web');"
        "INSERT INTO job_secret (job, path, key, name) "
        "VALUES ('web', 'database/creds/app', 'password', 'pw')");
  }
  Postgres& postgres() override { return real; }
  DatabaseDumps& dumps() override { return real_dumps; }

  std::string password() {
    const auto found = fake_secret_folders().file(
        text("SELECT name FROM instance WHERE run = 1 ORDER BY id LIMIT 1"), "pw");
    return found.has_value() ? found->content : "";
  }
  std::string username() { return text("SELECT username FROM database_login"); }
  std::string roles() const {
    return rig.ask("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rl\\_%'");
  }
};

}  // namespace

Test(live_postgres_login, lives_and_ends_with_its_instance, .timeout = 120) {
  Platform platform;

  platform.settle();
  platform.pass_time(2000);
  const std::string username = platform.username();
  const std::string password = platform.password();
  cr_assert(platform.rig.can_log_in(username, password), "%s",
            platform.text("SELECT reason FROM why").c_str());
  cr_expect(platform.rig.log().find(password) == std::string::npos);
  PostgresClient session("127.0.0.1", platform.rig.port(), username, password, "app");
  cr_expect(session.ask("SELECT current_user") == username);

  platform.sql("DELETE FROM job; DELETE FROM job_secret; DELETE FROM job_policy");
  platform.settle();
  platform.pass_time(30'000);

  cr_expect(platform.roles() == "0");
  cr_expect(session.ask("SELECT 1").starts_with("!"));
}

Test(live_postgres_login, what_was_left_over_is_dropped, .timeout = 120) {
  Platform platform;
  platform.settle();
  platform.pass_time(2000);
  cr_assert(platform.roles() == "1");

  // As if an older state.db had been put back.
  platform.sql("DELETE FROM job; DELETE FROM job_secret; DELETE FROM job_policy");
  platform.sql("DELETE FROM database_login; UPDATE database_state SET look_at_ms = 0");
  platform.settle();

  cr_expect(platform.roles() == "0");
}
