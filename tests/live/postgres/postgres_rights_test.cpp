// What a user may not read is named together with what helps, and that helps.
#include "tests/live/postgres/postgres_dump_rig.h"

#include <criterion/criterion.h>

#include <string>
#include <vector>

using namespace rowlock;

namespace {

std::string said_to(PostgresDumpRig& c, std::string& hint) {
  MemoryMembers members;
  const auto dumped =
      c.dumps.dump({c.rig.as("keeper", "Keeper0Password", "app")}, 1, members, c.ending);
  hint = dumped.ok() ? "" : dumped.error().hint;
  return dumped.ok() ? "" : dumped.error().message;
}

}  // namespace

Test(live_postgres_rights, a_large_object_of_somebody_elses_is_named, .timeout = 120) {
  PostgresDumpRig c;
  c.run({"CREATE ROLE keeper LOGIN PASSWORD 'Keeper0Password' IN ROLE pg_read_all_data",
         "CREATE ROLE \"Al ice\"", "CREATE ROLE staff", "GRANT staff TO keeper",
         "SELECT lo_from_bytea(n, 'x') FROM generate_series(7001, 7004) AS n",
         "ALTER LARGE OBJECT 7001 OWNER TO \"Al ice\"",
         "ALTER LARGE OBJECT 7002 OWNER TO \"Al ice\"", "ALTER LARGE OBJECT 7003 OWNER TO staff",
         "GRANT SELECT ON LARGE OBJECT 7004 TO staff"});

  std::string hint;
  const std::string said = said_to(c, hint);

  cr_expect(said.ends_with("the user keeper may not read the large object 7001 of Al ice, nor 2 "
                           "together"),
            "%s", said.c_str());
  const std::string asked = "as a superuser there: ";
  const std::string or_else = "; or, for all that there are and will be: ";
  const std::size_t second = hint.find(or_else);
  cr_assert(hint.starts_with(asked) && second != std::string::npos, "%s", hint.c_str());

  // Each of the two is tried, word by word.
  c.run({hint.substr(second + or_else.size())});
  cr_expect(said_to(c, hint).empty(), "%s", said_to(c, hint).c_str());
  c.run({"ALTER ROLE keeper RESET lo_compat_privileges"});
  cr_assert(said_to(c, hint).find("7001") != std::string::npos);
  c.run({hint.substr(asked.size(), hint.find(or_else) - asked.size())});
  cr_expect(said_to(c, hint).empty(), "%s", said_to(c, hint).c_str());

  c.run({"SELECT lo_from_bytea(7005, 'x')", "ALTER LARGE OBJECT 7005 OWNER TO \"Al ice\""});
  cr_expect(said_to(c, hint).ends_with("may not read the large object 7005 of Al ice"));
  c.run({"GRANT SELECT ON LARGE OBJECT 7005 TO PUBLIC"});
  cr_expect(said_to(c, hint).empty(), "%s", said_to(c, hint).c_str());
}
