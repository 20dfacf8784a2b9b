// What somebody has set for a database, or for the user that backs it up, must not decide whether
// it can be dumped, restored, compared and dropped, nor how its content is told.
#include "tests/live/postgres/postgres_dump_rig.h"

#include <criterion/criterion.h>

#include <string>
#include <vector>

using namespace rowlock;

namespace {

// Each is of a kind that an application has reason to set.
const std::vector<std::string> kSettings = {"quote_all_identifiers = on",
                                            "default_transaction_read_only = on",
                                            "default_transaction_isolation = 'serializable'",
                                            "default_transaction_deferrable = on",
                                            "statement_timeout = '1s'",
                                            "lock_timeout = '1s'",
                                            "idle_in_transaction_session_timeout = '1s'",
                                            "idle_session_timeout = '1s'",
                                            "search_path = odd, pg_temp",
                                            "client_encoding = 'LATIN1'",
                                            "standard_conforming_strings = off",
                                            "row_security = off",
                                            "bytea_output = 'escape'",
                                            "array_nulls = off",
                                            "transform_null_equals = on",
                                            "IntervalStyle = 'sql_standard'",
                                            "DateStyle = 'German'",
                                            "TimeZone = 'Asia/Kolkata'",
                                            "extra_float_digits = -5",
                                            "default_table_access_method = 'heap'",
                                            "default_toast_compression = 'lz4'",
                                            "xmloption = 'document'",
                                            "check_function_bodies = on"};

void fill(PostgresDumpRig& c) {
  c.run(
      {"CREATE SCHEMA odd",
       "CREATE FUNCTION odd.length(text) RETURNS int LANGUAGE SQL AS "
       "'SELECT 1/0'",
       "CREATE TABLE values (n serial, t text, by bytea, a text[], i interval, f float8, "
       "x xml, at timestamptz, d date, CONSTRAINT nulls CHECK ((t = NULL) IS NULL))",
       "INSERT INTO values (t, by, a, i, f, x, at, d) VALUES ('5 € \\ ''x''', '\\x00ff5c', "
       "ARRAY[NULL, 'NULL', 'a\\b'], '-1 mon +2 days -03:00', 0.1::float8 + 0.2, "
       "XMLPARSE(CONTENT 'a<b/>'), '2026-03-29 02:30+05:30', '2026-02-01')",
       "CREATE TABLE odd.\"select\" AS SELECT n, md5(n::text) FROM generate_series(1, 20000) AS n",
       "CREATE VIEW seen AS SELECT t FROM values WHERE n > 0"});
}

}  // namespace

Test(live_postgres_settings, of_a_database_change_nothing, .timeout = 240) {
  PostgresDumpRig c;
  fill(c);
  const DatabaseFacts before = c.facts("app");
  for (const std::string& each : kSettings) {
    c.run({"ALTER DATABASE app SET " + each, "ALTER DATABASE postgres SET " + each}, "other");
  }

  const DatabaseFacts facts = c.comes_back();

  cr_expect(difference(before, facts).empty(), "%s", difference(before, facts).c_str());
  cr_expect(facts.tables.size() == 3, "%zu", facts.tables.size());
  for (std::size_t i = 0; i < facts.tables.size() && i < before.tables.size(); ++i) {
    cr_expect(facts.tables[i].name == before.tables[i].name, "%s", facts.tables[i].name.c_str());
  }
  cr_expect(c.dumps.drop(c.address("postgres"), "copy").ok());
}

// Owners and settings come back too, and the one that is restored has them when it is compared.
Test(live_postgres_settings, that_come_back_change_nothing, .timeout = 240) {
  PostgresDumpRig c;
  fill(c);
  std::string all;  // At once, before the first of them refuses the next.
  for (const std::string& each : kSettings) {
    all += "ALTER DATABASE app SET " + each + "; ALTER ROLE postgres SET " + each + ";";
  }
  c.run({all}, "other");
  for (const int jobs : {1, 3}) {
    c.jobs = jobs;
    MemoryMembers members;
    const auto dumped = c.dump(members);
    cr_assert(dumped.ok(), "%s", dumped.ok() ? "" : dumped.error().message.c_str());
    RestoreOrder order{c.address("postgres"), "copy"};
    order.has_roles = true;
    order.keeps_owners = true;

    const auto restored =
        c.dumps.restore(order, members.member("globals.sql"), dump_in(members), c.ending);

    cr_assert(restored.ok(), "%s", restored.ok() ? "" : restored.error().message.c_str());
    cr_expect(c.rig.ask("SHOW bytea_output", "copy") == "escape");
    const std::string differs = difference(dumped.value().content, c.facts("copy"));
    cr_expect(differs.empty(), "%s", differs.c_str());
    const auto renamed = c.dumps.rename(c.address("postgres"), "copy", "copy_2", "");
    cr_expect(renamed.ok(), "%s", renamed.ok() ? "" : renamed.error().message.c_str());
    cr_expect(c.dumps.drop(c.address("postgres"), "copy_2").ok());
  }
}
