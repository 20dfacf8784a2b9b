// Dumps that a real PostgreSQL refuses to load as they are, each for a reason of its own, and the
// ways to have them back for all that. Rows come back, and what does not is named.
#include "tests/live/postgres/postgres_dump_rig.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace rowlock;

namespace {

using Names = std::vector<std::string>;

// A function that finds another one only where names without a schema are looked for in public.
const Names kFunctions = {
    "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2'",
    "CREATE FUNCTION four(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
    "'BEGIN RETURN twice(twice(n)); END'"};

struct Refused {
  explicit Refused(const Names& statements, int jobs = 1) {
    rig.fill();
    rig.jobs = jobs;
    rig.run(kFunctions);
    rig.run(statements);
    const auto dumped = rig.dump(members);
    cr_assert(dumped.ok(), "%s", dumped.ok() ? "" : dumped.error().message.c_str());
    content = dumped.value().content;
    order.server = rig.address("postgres");
    order.database = "copy";
  }

  Result<RestoredDump> restore() {
    return rig.dumps.restore(order, members.member("globals.sql"), dump_in(members), rig.ending);
  }
  // That is refused for good, in a sentence with these words, and leaves nothing.
  void expect_refused(const std::string& words) {
    const auto restored = restore();
    cr_assert(!restored.ok());
    const Error& error = restored.error();
    cr_expect(error.message.find(words) != std::string::npos, "%s", error.message.c_str());
    cr_expect(error.fault == Fault::rejected, "%s", error.message.c_str());
    cr_expect(rig.databases() == "app other postgres", "%s", rig.databases().c_str());
  }
  // What is left out, sorted; all else is equal.
  void expect_restored(const Names& expected) {
    const auto restored = restore();
    cr_assert(restored.ok(), "%s", restored.ok() ? "" : restored.error().message.c_str());
    const std::vector<LeftOut>& all = restored.value().left_out;
    Names found;
    for (const LeftOut& each : all) {
      if (!each.is_beside_it) found.push_back(each.object());
    }
    std::sort(found.begin(), found.end());
    std::string said;
    for (const LeftOut& each : all) said += each.object() + ": " + each.reason + "\n";
    cr_expect(found == expected, "%s", said.c_str());
    const std::string differs =
        difference(without(content, all, true), without(rig.facts("copy"), all, true));
    cr_expect(differs.empty(), "%s", differs.c_str());
    cr_expect(rig.dumps.drop(rig.address("postgres"), "copy").ok());
  }

  PostgresDumpRig rig;
  MemoryMembers members;
  DatabaseFacts content;
  RestoreOrder order;
};

// The same in one and in several parts.
void each_way(const Names& statements, const std::function<void(Refused&)>& look) {
  for (const int jobs : {1, 2}) {
    Refused refused(statements, jobs);
    look(refused);
  }
}

}  // namespace

Test(live_postgres_refused, a_generated_column_whose_function_names_no_schema, .timeout = 180) {
  each_way({"CREATE TABLE gen (n int, g int GENERATED ALWAYS AS (four(n)) STORED)",
            "INSERT INTO gen VALUES (1), (2)"},
           [](Refused& r) {
             r.expect_refused(
                 "COPY failed for table \"gen\": ERROR: function twice(integer) does not exist");
             r.order.keeps_going = true;
             r.expect_restored({"TABLE DATA public.gen"});
             r.order.keeps_going = false;
             r.order.without = {"public.gen"};
             r.expect_restored({"TABLE DATA public.gen", "TABLE public.gen"});
             r.order.without = {};
             r.order.search_path = "public";
             r.expect_restored({});
           });
}

Test(live_postgres_refused, an_index_whose_function_names_no_schema, .timeout = 180) {
  each_way({"CREATE INDEX big_four ON big (four(n))"}, [](Refused& r) {
    r.expect_refused("function twice(integer) does not exist, in CREATE INDEX big_four");
    r.order.keeps_going = true;
    r.expect_restored({"INDEX public.big_four"});
    r.order.keeps_going = false;
    r.order.without = {"public.big_four"};
    r.expect_restored({"INDEX public.big_four"});
    r.order.without = {};
    r.order.search_path = "pg_catalog, public";
    r.expect_restored({});
    r.order.search_path = "";
    r.order.sections = {"before", "data"};
    r.expect_restored({});
  });
}

Test(live_postgres_refused, a_check_that_reads_another_table, .timeout = 180) {
  each_way(
      {"CREATE TABLE zoo (n int)", "INSERT INTO zoo VALUES (1)",
       "CREATE FUNCTION zoos() RETURNS bigint LANGUAGE sql STABLE AS "
       "'SELECT count(*) FROM public.zoo'",
       "CREATE TABLE animal (n int PRIMARY KEY, CHECK (n <= zoos()))",
       "INSERT INTO animal VALUES (1)", "CREATE TABLE leg (animal int REFERENCES animal)",
       "INSERT INTO leg VALUES (1)"},
      [](Refused& r) {
        r.expect_refused("animal_n_check");
        r.order.keeps_going = true;
        r.expect_restored({"FK CONSTRAINT public.leg leg_animal_fkey", "TABLE DATA public.animal"});
        r.order.known = {"public.animal"};
        r.expect_restored({"FK CONSTRAINT public.leg leg_animal_fkey", "TABLE DATA public.animal"});
        r.order.known = {"TABLE DATA public.animal"};
        r.expect_refused("beside the known exceptions the server refuses FK CONSTRAINT");
        r.order.known = {};
        r.order.keeps_going = false;
        r.order.without = {"public.animal"};
        r.expect_restored({"CONSTRAINT public.animal animal_pkey",
                           "FK CONSTRAINT public.leg leg_animal_fkey", "TABLE DATA public.animal",
                           "TABLE public.animal"});
        r.order.without = {};
        r.order.only = {"public.leg"};
        r.expect_restored({"FK CONSTRAINT public.leg leg_animal_fkey"});
      });
}

Test(live_postgres_refused, a_materialized_view_over_what_is_missing, .timeout = 180) {
  each_way(
      {"CREATE TABLE gone (n int)",
       "CREATE FUNCTION remote() RETURNS int LANGUAGE plpgsql AS "
       "'BEGIN RETURN (SELECT count(*) FROM public.gone); END'",
       "CREATE MATERIALIZED VIEW far AS SELECT remote() AS n", "DROP TABLE gone"},
      [](Refused& r) {
        r.expect_refused("relation \"public.gone\" does not exist");
        r.order.keeps_going = true;
        r.expect_restored({"MATERIALIZED VIEW DATA public.far"});
        r.order.keeps_going = false;
        r.order.without = {"public.far"};
        r.expect_restored({"MATERIALIZED VIEW DATA public.far", "MATERIALIZED VIEW public.far"});
      });
}

// It fires when what comes after it is made.
Test(live_postgres_refused, an_event_trigger_that_names_a_type_without_its_schema, .timeout = 180) {
  each_way({"CREATE TYPE mood AS ENUM ('glad', 'sad')",
            "CREATE FUNCTION feel() RETURNS event_trigger LANGUAGE plpgsql AS "
            "'DECLARE now mood; BEGIN now := ''glad''; END'",
            "CREATE MATERIALIZED VIEW few AS SELECT n FROM big WHERE n < 3",
            "CREATE EVENT TRIGGER feel ON ddl_command_end EXECUTE FUNCTION feel()"},
           [](Refused& r) {
             r.expect_refused("type \"mood\" does not exist");
             r.order.keeps_going = true;
             r.expect_restored({"MATERIALIZED VIEW DATA public.few"});
             r.order.keeps_going = false;
             r.order.without = {"feel"};
             r.expect_restored({"EVENT TRIGGER feel"});
             r.order.without = {};
             r.order.search_path = "public";
             r.expect_restored({});
           });
}

// As pg_cron in all databases but one, or what only a superuser may make.
Test(live_postgres_refused, an_extension_that_whoever_restores_may_not_make, .timeout = 180) {
  each_way({"CREATE EXTENSION pgrowlocks", "CREATE ROLE clerk LOGIN CREATEDB PASSWORD 'Clerk0'",
            "CREATE VIEW locks AS SELECT * FROM pgrowlocks('public.big')"},
           [](Refused& r) {
             r.order.server = r.rig.rig.as("clerk", "Clerk0", "postgres");
             r.expect_refused("permission denied to create extension \"pgrowlocks\"");
             r.order.without = {"pgrowlocks"};
             r.expect_restored(
                 {"COMMENT EXTENSION pgrowlocks", "EXTENSION pgrowlocks", "VIEW public.locks"});
             r.order.without = {};
             r.order.keeps_going = true;
             r.order.known = {"pgrowlocks"};
             r.expect_restored(
                 {"COMMENT EXTENSION pgrowlocks", "EXTENSION pgrowlocks", "VIEW public.locks"});
           });
}

Test(live_postgres_refused, what_cannot_be_had_is_said_before_the_rows_are_loaded, .timeout = 180) {
  Refused one({});
  one.order.without = {"public.nothing"};
  one.expect_refused("there is no public.nothing in the dump");
  one.order.without = {};
  one.order.is_single_transaction = true;
  one.expect_restored({});
  one.order.only = {"public.small"};
  one.expect_restored({});
  one.order.only = {};
  one.order.sections = {"before", "after"};
  const auto empty = one.restore();
  cr_expect(empty.ok() && one.rig.rig.ask("SELECT count(*) FROM small", "copy") == "0");

  Refused several({}, 2);
  several.order.is_single_transaction = true;
  several.expect_refused("several jobs, which no single transaction can load");
}

// It could not even be read, and what the error says to do about it helps.
Test(live_postgres_refused, a_function_that_the_planner_looks_into_names_a_schema, .timeout = 120) {
  PostgresDumpRig c;
  c.run({kFunctions.front(),
         "CREATE FUNCTION inlined(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT twice(n)'",
         "CREATE TABLE pupil AS SELECT n FROM generate_series(1, 100) AS n",
         "CREATE INDEX ON pupil (inlined(n))"});
  MemoryMembers members;
  const auto dumped = c.dump(members);
  cr_assert(!dumped.ok(), "the planner does not look into it any more");
  cr_expect(dumped.error().hint.find("ALTER FUNCTION its_name SET search_path = public") !=
                std::string::npos,
            "%s: %s", dumped.error().message.c_str(), dumped.error().hint.c_str());
  c.run({"ALTER FUNCTION inlined SET search_path = public"});
  c.comes_back();
}

Test(live_postgres_refused, a_server_that_stops_is_no_refusal, .timeout = 180) {
  Refused r({"CREATE INDEX big_four ON big (four(n))"});
  r.order.keeps_going = true;
  const DumpSource pieces = dump_in(r.members);
  int given = 0;
  const auto restored = r.rig.dumps.restore(
      r.order, r.members.member("globals.sql"),
      [&]() -> Result<DumpPiece> {
        if (++given == 20) r.rig.rig.stop();
        return pieces();
      },
      r.rig.ending);
  cr_assert(!restored.ok());
  cr_expect(restored.error().fault == Fault::transient, "%s", restored.error().message.c_str());
}
