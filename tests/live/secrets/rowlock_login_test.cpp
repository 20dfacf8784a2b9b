// Logins with everything real: `rowlock run`, containers and a PostgreSQL server.
#include "tests/live/postgres/postgres_rig.h"
#include "tests/live/secrets/secret_home.h"

#include <criterion/criterion.h>

using namespace rowlock;
using namespace rowlock_live;

Test(live_rowlock_login, each_instance_has_one_of_its_own_and_what_is_left_over_goes,
     .timeout = 300) {
  PostgresRig rig;
  SecretHome home;
  const PostgresAddress admin = rig.as_admin();
  home.put("db/admin", std::string(admin.password->view()));
  home.accept("BEGIN; INSERT INTO database (name, url, secret) VALUES ('main', '" + admin.url +
              "', 'db/admin'); INSERT INTO database_role (name, database) VALUES ('app', 'main');"
              "INSERT INTO policy (name, path) VALUES ('app', 'database/creds/app');" +
              insert_job("app", {{"count", "2"}}) +
              "INSERT INTO job_policy VALUES ('app', 'app');"
              "INSERT INTO job_secret (job, path, key, \"as\", name) VALUES "
              "('app', 'database/creds/app', 'username', 'file', 'user'),"
              "('app', 'database/creds/app', 'password', 'env', 'PGPASSWORD'); COMMIT;");
  home.await_converged("app");

  const std::string roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rl\\_%'";
  std::string users;
  for (const Container& container : home.running("app")) {
    const auto told = home.runtime().exec(
        container.name, {"sh", "-c", "tr '\\0' '\\n' </proc/1/environ | grep ^PGPASSWORD="}, 5000);
    require(told.ok() && told.value().exit_code == 0, "no PGPASSWORD in " + container.name);
    const std::string& line = told.value().output;
    const std::string password = line.substr(11, line.find('\n') - 11);
    const std::string user = home.held(container.name, "user");
    cr_expect(rig.can_log_in(user, password), "%s", container.name.c_str());
    cr_expect(users.find(user) == std::string::npos, "%s is shared", user.c_str());
    cr_expect(rig.log().find(password) == std::string::npos);
    cr_expect(home.inspect(container.name).text().find(password) == std::string::npos);
    users += user + " ";
  }
  cr_expect(rig.ask(roles) == "2");

  // Killed, with a role that no row speaks of by the time it is back.
  home.kill();
  require(rig.ask("CREATE ROLE rl_" + home.state("SELECT id FROM home") + "_app_999 LOGIN").empty(),
          "the left-over role could not be made");
  home.start();
  await_answer(
      "the left-over role is dropped", [&] { return rig.ask(roles); }, "2",
      [&] { return home.story(); });
  home.accept_deletion("DELETE FROM job", "job", 1);
  await_answer(
      "the logins are dropped", [&] { return rig.ask(roles); }, "0", [&] { return home.story(); });
  home.await("SELECT count(*) FROM database_login", "0");
}
