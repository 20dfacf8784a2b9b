// A dump of a standby: it has no rows of unlogged tables, and says so.
#include "tests/live/postgres/postgres_dump_rig.h"

#include <criterion/criterion.h>

#include <string>

using namespace rowlock;

Test(live_postgres_standby, is_dumped_without_the_rows_of_unlogged_tables, .timeout = 240) {
  PostgresDumpRig c;
  c.run({"CREATE TABLE kept AS SELECT n FROM generate_series(1, 1000) AS n",
         "CREATE UNLOGGED TABLE quick (id serial, t text)",
         "INSERT INTO quick (t) SELECT 'x' FROM generate_series(1, 7)",
         "CREATE UNLOGGED TABLE parts (k int) PARTITION BY HASH (k)",
         "CREATE UNLOGGED TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER "
         "0)",
         "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
         "INSERT INTO parts SELECT generate_series(1, 100)",
         "CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM kept"});
  const auto standby = PostgresRig::standby_of(c.rig);
  cr_assert(standby->ask("SELECT pg_is_in_recovery()") == "t");
  for (const int jobs : {1, 3}) {
    MemoryMembers members;

    const auto dumped =
        c.dumps.dump({standby->as("postgres", "Superuser0Password")}, jobs, members, c.ending);

    cr_assert(dumped.ok(), "%s", dumped.ok() ? "" : dumped.error().message.c_str());
    std::string left_out;
    for (const std::string& each : dumped.value().content.left_out) left_out += each + " ";
    cr_expect(left_out == "public.parts_0 public.quick public.quick_id_seq ", "%s",
              left_out.c_str());
    const auto restored = c.restore(members);
    cr_assert(restored.ok(), "%s", restored.ok() ? "" : restored.error().message.c_str());
    const std::string differs = difference(dumped.value().content, c.facts("copy"));
    cr_expect(differs.empty(), "%s", differs.c_str());
    cr_expect(c.rig.ask("SELECT count(*) FROM kept", "copy") == "1000");
    cr_expect(c.rig.ask("SELECT count(*) FROM quick", "copy") == "0");
    cr_assert(c.dumps.drop(c.address("postgres"), "copy").ok());
  }
  cr_expect(c.facts("app").left_out.empty(), "the primary has them");
}
