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

Test(backup, what_one_of_a_standby_lacks_is_said) {
  Backed world;
  world.fake_dumps.put_rows(kServer, "school", "unlogged.cache", {});
  world.run_policy();
  expect_is("verified", world.states());
  const std::string lacks =
      "without the rows of 1 unlogged tables and sequences, which a standby does not have: "
      "unlogged.cache";
  expect_in(lacks, world.text("SELECT detail FROM event WHERE what = 'stored'"));
  expect_in(" was made " + lacks, world.text("SELECT reason FROM why WHERE name = 'nightly'"));
}
