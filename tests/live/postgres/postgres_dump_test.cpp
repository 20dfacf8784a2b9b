// A real PostgreSQL server and its own programs against the suite that the fake passes. Where
// PostgreSQL is not installed, nothing is tested.
#include "controller/adapters/postgres/postgres_dump.h"

#include "tests/conformance/dumps_suite.h"
#include "tests/live/haproxy/web_server.h"
#include "tests/live/postgres/postgres_rig.h"

#include <criterion/criterion.h>

#include <memory>
#include <string>
#include <vector>

using namespace rowlock;

namespace {

// A server, and the sessions that somebody has there.
struct Served {
  PostgresRig rig;
  std::vector<std::unique_ptr<PostgresClient>> sessions;

  DumpsFixture fixture() {
    DumpsFixture made;
    made.server = rig.as("postgres", "Superuser0Password", "postgres");
    made.address_of = [this](const std::string& database) {
      return rig.as("postgres", "Superuser0Password", database);
    };
    made.url_of_none = "postgresql://admin@127.0.0.1:" + std::to_string(free_port()) + "/app";
    made.make = [this](const std::string& database) {
      rig.ask("CREATE DATABASE " + database, "postgres");
      rig.ask(
          "CREATE TABLE pupil (id serial PRIMARY KEY, name text); CREATE TABLE nobody (n int); "
          "INSERT INTO pupil (name) SELECT 'pupil ' || n FROM generate_series(1, 500) AS n; "
          "SELECT lo_from_bytea(4711, 'large')",
          database);
    };
    made.change_one_row = [this](const std::string& database) {
      rig.ask("UPDATE pupil SET name = 'Another' WHERE id = 7", database);
    };
    made.open_session = [this](const std::string& database) {
      sessions.push_back(std::make_unique<PostgresClient>(rig.socket_folder(), rig.port(),
                                                          "postgres", "", database));
      cr_expect(sessions.back()->is_connected());
    };
    made.query = "SELECT count(*) FROM pupil";
    made.answer = "500";
    made.change = "DELETE FROM pupil RETURNING id";
    return made;
  }
};

}  // namespace

Test(live_postgres_dump, behaves_like_every_server, .timeout = 300) {
  Served served;
  PostgresDumps dumps;

  check_dumps(dumps, served.fixture());
}
