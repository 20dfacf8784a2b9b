// What is said of backups besides their state: what nobody backs up, and what a backup lacks.
#include "tests/schema/backups/backed_world.h"

using namespace rowlock;

Test(backup, a_database_whose_name_its_url_encodes_is_covered) {
  Backed world;
  world.fake_dumps.put_database(kServer, "My App", {{"public.book", {"x"}}});
  world.run_policy();
  expect_is("My App", world.text("SELECT database FROM uncovered"));
  world.sql(
      fmt::format("INSERT INTO database (name, url) VALUES ('mine', '{}');"
                  "INSERT INTO backup_policy (name, database, store) "
                  "VALUES ('apps', 'mine', 'files')",
                  Backed::url("My%20App")));
  world.settle();
  expect_is("", world.text("SELECT database FROM uncovered"));
}
