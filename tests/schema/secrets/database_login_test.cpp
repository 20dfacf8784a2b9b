// Logins at databases, made for one instance each: rows in, roles on a fake server out.
#include "reconcilers/secrets/database_login.h"

#include "controller/secrets/secrets.h"
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>

using namespace rowlock;

namespace {

const Actor kOperator{"user 0", "[]", true};
constexpr char kUrl[] = "postgresql://admin@127.0.0.1:5432/app";
constexpr std::int64_t kTtlMs = 3'600'000;

// A world whose secret store is open, a database in it, and a job whose instances have logins.
struct Served : PlanWorld {
  SecretBytes key;

  Served() {
    sql("SAVEPOINT init");
    auto kit = secrets().seal.init(1, 1, kOperator, now_ms());
    cr_assert(kit.ok());
    key = std::move(kit).value().unseal_key;
    sql("RELEASE init");
    fake_postgres().set_admin_password(kUrl, "Admin1");
    fake_dumps.put_database("postgresql://admin@127.0.0.1:5432", "app", {});
    put("db/admin", R"({"password":"Admin1"})");
    sql(std::string("INSERT INTO database (name, url, secret) VALUES ('main', '") + kUrl +
        "', 'db/admin'); INSERT INTO database_role (name, database) VALUES ('app', 'main')");
    settle();
  }

  void put(const std::string& path, const std::string& map) {
    sql("DELETE FROM temp.dirty");
    const auto parsed = Json::parse(map);
    cr_assert(parsed.ok());
    const auto written = secrets().store.write(path, parsed.value(), {}, kOperator, now_ms());
    cr_assert(written.ok(), "%s", written.ok() ? "" : written.error().message.c_str());
    sql(*schema().script("retry.freed"));
  }
  void seal() { cr_assert(secrets().seal.seal(kOperator, now_ms()).ok()); }
  void unseal() { cr_assert(secrets().seal.unseal(key, "test", now_ms()).ok()); }

  void insert_job() {
    sql("INSERT INTO job (name, image, min_healthy_ms) VALUES ('web', 'good:1', 1000);"
        "INSERT INTO policy (name, path) VALUES ('web', 'database/creds/app');"
        "INSERT INTO job_policy (job, policy) VALUES ('web', 'web');"
        "INSERT INTO job_secret (job, path, key, name) "
        "VALUES ('web', 'database/creds/app', 'password', 'pw'), "
        "('web', 'database/creds/app', 'url', 'url')");
  }

  std::string file(const std::string& name) {
    const auto found = fake_secret_folders().file(
        text("SELECT name FROM instance WHERE run = 1 ORDER BY id LIMIT 1"), name);
    return found.has_value() ? found->content : "(none)";
  }
  std::string username() {
    return text("SELECT username FROM database_login ORDER BY instance LIMIT 1");
  }
  std::vector<std::string> roles() { return fake_postgres().role_names(kUrl); }
  bool can_log_in(const std::string& password) {
    return fake_postgres().can_log_in(kUrl, username(), password, now_ms());
  }
  std::string why() { return text("SELECT reason FROM why WHERE kind = 'database_login'"); }
};

void expect_is(const std::string& wanted, const std::string& found) {
  cr_expect(found == wanted, "'%s' in place of '%s'", found.c_str(), wanted.c_str());
}

void expect_in(const std::string& part, const std::string& whole) {
  cr_expect(whole.find(part) != std::string::npos, "'%s' is not in '%s'", part.c_str(),
            whole.c_str());
}

}  // namespace

Test(database_login, each_instance_is_given_a_login_of_its_own_before_it_is_made) {
  Served world;
  world.after_step = [&] {
    if (world.number("SELECT count(*) FROM instance WHERE container <> 'none'") > 0) {
      cr_expect_eq(world.roles().size(), 1);
    }
  };
  world.insert_job();

  world.settle();
  world.pass_time(2000);

  const std::string password = world.file("pw");
  cr_expect_eq(password.size(), 24);
  cr_expect(world.can_log_in(password));
  expect_is(world.text("SELECT 'rl_' || (SELECT id FROM home) || '_app_' || id FROM instance"),
            world.username());
  expect_is("postgresql://" + world.username() + ":" + password + "@127.0.0.1:5432/app",
            world.file("url"));
  expect_is("converged", world.text("SELECT state FROM status WHERE name = 'web'"));
  expect_is("", world.why());
}

Test(database_login, what_is_read_and_made_is_in_the_audit_log_and_no_row_has_the_password) {
  Served world;
  world.insert_job();
  world.settle();

  expect_in("rowlock|read|db/admin", world.text("SELECT actor, operation, path FROM audit"));
  expect_in("rowlock|create|database/creds/app",
            world.text("SELECT actor, operation, path FROM audit"));
  const std::string password = world.file("pw");
  cr_assert_eq(password.size(), 24);
  for (const char* table : {"database_login", "attempt", "event", "audit", "delivery", "spec"}) {
    cr_expect(world.text(std::string("SELECT * FROM ") + table).find(password) == std::string::npos,
              "%s", table);
  }
}

Test(database_login, it_is_renewed_as_long_as_its_instance_runs) {
  Served world;
  world.insert_job();
  world.settle();
  world.pass_time(2000);
  const std::string password = world.file("pw");

  for (int round = 0; round < 4; ++round) {
    world.pass_time_without_settling(kTtlMs / 2 + 1000);
    world.settle();
    cr_expect(world.can_log_in(password), "round %d", round);
  }

  cr_expect_eq(world.number("SELECT count(*) FROM event WHERE what = 'made'"), 1);
}

Test(database_login, one_that_somebody_dropped_is_made_anew_with_the_same_password) {
  Served world;
  world.insert_job();
  world.settle();
  world.pass_time(2000);
  const std::string password = world.file("pw");

  world.fake_postgres().remove_role(kUrl, world.username());
  world.pass_time_without_settling(kTtlMs / 2 + 1000);
  world.settle();
  world.pass_time(2000);

  cr_expect(world.can_log_in(password));
  expect_is(password, world.file("pw"));
}

Test(database_login, it_ends_with_its_instance_and_after_its_folder) {
  Served world;
  world.insert_job();
  world.settle();
  world.pass_time(2000);
  cr_assert_eq(world.roles().size(), 1);
  world.after_step = [&] {
    cr_expect(!world.roles().empty() || world.fake_secret_folders().folders().empty());
  };

  world.sql("DELETE FROM job; DELETE FROM job_secret; DELETE FROM job_policy");
  world.settle();
  world.pass_time(30'000);

  cr_expect(world.roles().empty());
  cr_expect_eq(world.number("SELECT count(*) FROM database_login"), 0);
}

Test(database_login, it_is_dropped_by_what_was_known_when_its_rows_are_gone) {
  Served world;
  world.insert_job();
  world.settle();
  world.pass_time(2000);

  world.sql(
      "DELETE FROM job; DELETE FROM job_secret; DELETE FROM job_policy;"
      "DELETE FROM database_role; DELETE FROM database");
  world.settle();
  world.pass_time(30'000);

  cr_expect(world.roles().empty());
  cr_expect_eq(world.number("SELECT count(*) FROM database_login"), 0);
  cr_expect_eq(world.number("SELECT count(*) FROM database_state"), 0);
}

Test(database_login, a_server_that_is_away_holds_the_instance_back_and_is_tried_again) {
  Served world;
  world.fake_postgres().set_reachable(false);
  world.insert_job();
  world.settle();
  world.pass_time(5000);

  cr_expect(world.roles().empty());
  cr_expect_eq(world.number("SELECT count(*) FROM instance WHERE container <> 'none'"), 0);
  expect_in("has no login at database main yet", world.why());
  expect_in("Connection refused", world.why());
  expect_in("its login database/creds/app is not made yet",
            world.text("SELECT reason FROM why WHERE kind = 'delivery'"));

  world.fake_postgres().set_reachable(true);
  world.pass_time(70'000);
  cr_expect(world.can_log_in(world.file("pw")));
}

Test(database_login, an_answer_that_was_lost_leaves_one_login_that_works) {
  Served world;
  int lost = 0;
  world.fake_postgres().set_faults([&](const std::string& call, const std::string&) {
    return call == "create_role" && lost++ < 2 ? FaultPlan::lose_answer : FaultPlan::none;
  });
  world.insert_job();
  world.settle();
  world.pass_time(10'000);

  cr_expect_eq(world.roles().size(), 1);
  cr_expect(world.can_log_in(world.file("pw")));
}

Test(database_login, while_the_store_is_sealed_it_waits) {
  Served world;
  world.seal();
  world.insert_job();
  world.settle();
  world.pass_time(2000);
  cr_expect(world.roles().empty());

  world.unseal();
  world.settle();
  world.pass_time(2000);
  cr_expect(world.can_log_in(world.file("pw")));

  world.seal();
  world.pass_time_without_settling(kTtlMs / 2 + 1000);
  world.settle();
  expect_is("",
            world.text("SELECT step FROM plan WHERE kind = 'database_login' AND step <> 'wait'"));
}

Test(database_login, a_job_that_may_not_read_it_has_none_made) {
  Served world;
  world.insert_job();
  world.sql("DELETE FROM job_policy");
  world.settle();
  world.pass_time(2000);
  cr_expect(world.roles().empty());

  world.sql("INSERT INTO job_policy (job, policy) VALUES ('web', 'web')");
  world.settle();
  cr_expect(world.can_log_in(world.file("pw")));
}

Test(database_login, an_administrator_without_a_password_is_told_to_put_one) {
  Served world;
  world.sql("UPDATE database SET secret = 'db/none'");
  world.pass_time(301'000);
  expect_in("secret db/none does not exist (rowlock secret put db/none)",
            world.text("SELECT reason FROM why WHERE name = 'main'"));
  world.sql("UPDATE database SET secret = 'db/admin'");
  world.put("db/admin", R"({"user":"x"})");
  world.insert_job();
  world.settle();

  expect_in("secret db/admin has no text under the key 'password' (rowlock secret put db/admin)",
            world.why());
  world.put("db/admin", R"({"password":"Admin1"})");
  world.pass_time(61'000);
  cr_expect(world.can_log_in(world.file("pw")));
}

Test(database_login, roles_that_no_row_speaks_of_are_dropped_and_those_of_others_are_not) {
  Served world;
  const std::string home = world.text("SELECT id FROM home");
  for (const std::string& name :
       {"rl_" + home + "_app_99", "rl_" + home + "x_app_1", std::string("admin")}) {
    world.fake_postgres().put_role(kUrl, name, {"Secret1", world.now_ms() + kTtlMs, true, 0});
  }
  world.insert_job();
  world.settle();
  cr_expect_eq(world.roles().size(), 4);

  world.pass_time_without_settling(300'000);
  world.settle();

  cr_expect_eq(world.roles().size(), 3);
  cr_expect(!world.fake_postgres().role(kUrl, "rl_" + home + "_app_99").has_value());
  cr_expect(world.can_log_in(world.file("pw")));
}

Test(database_login, the_url_of_an_instance_has_its_own_name_in_it) {
  const auto url = [](const std::string& given) { return login_url(given, "rl_1", "Pw"); };

  expect_is("postgresql://rl_1:Pw@db:5432/app", url("postgresql://admin@db:5432/app"));
  expect_is("postgres://rl_1:Pw@db/app?sslmode=require", url("postgres://db/app?sslmode=require"));
  expect_is("postgresql://rl_1:Pw@/app?options=a@b", url("postgresql:///app?options=a@b"));
  expect_is("postgresql://rl_1:Pw@db", url("postgresql://db"));
}
