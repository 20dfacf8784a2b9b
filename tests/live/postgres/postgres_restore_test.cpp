// Restores into a real PostgreSQL that go wrong, or find something there already: what is not whole
// is gone again, and what was there is as it was.
#include "tests/live/postgres/postgres_dump_rig.h"

#include <criterion/criterion.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

using namespace rowlock;

namespace {

// Dumped, and ready to be restored.
struct Dumped {
  explicit Dumped(const PostgresDumpLimits& limits = {},
                  const std::vector<std::string>& statements = {})
      : rig(limits) {
    rig.fill();
    rig.run(statements);
    const auto dumped = rig.dump(members);
    cr_assert(dumped.ok(), "%s", dumped.ok() ? "" : dumped.error().message.c_str());
    content = dumped.value().content;
  }

  // The dump; `act` comes once, after so many bytes of it.
  Source source(std::size_t after_bytes, std::function<void()> act) {
    auto whole = source_of(members.member("dump"), 16384);
    auto given = std::make_shared<std::size_t>(0);
    return [whole, given, after_bytes, act]() -> Result<std::string> {
      auto next = whole();
      const std::size_t before = *given;
      *given += next.value().size();
      if (before < after_bytes && *given >= after_bytes) act();
      return next;
    };
  }
  Result<RestoredDump> restore(const Source& source, bool has_roles = false,
                               bool keeps_owners = false) {
    return rig.dumps.restore({rig.address("postgres"), "copy", has_roles, keeps_owners},
                             members.member("globals.sql"), dump_of(source), rig.ending);
  }

  PostgresDumpRig rig;
  MemoryMembers members;
  DatabaseFacts content;
};

void is_gone(const PostgresDumpRig& rig) {
  const std::string names = rig.databases();
  cr_expect(names == "app other postgres", "%s", names.c_str());
}

}  // namespace

Test(live_postgres_restore, one_that_is_cut_off_leaves_no_database, .timeout = 120) {
  Dumped d;
  const std::size_t size = d.members.member("dump").size();

  for (const std::size_t at : {std::size_t{1}, size / 100, size / 2, size - 1}) {
    const auto restored = d.restore(cut_off(d.members.member("dump"), at));
    cr_expect(!restored.ok());
    is_gone(d.rig);
  }
  for (const std::size_t at : {size / 4, size - 2000}) {
    const auto half = d.restore(source_of(d.members.member("dump").substr(0, at)));
    cr_expect(!half.ok(), "%zu bytes are taken for a whole dump", at);
    is_gone(d.rig);
  }
  cr_expect(d.restore(source_of(d.members.member("dump"))).ok());
}

Test(live_postgres_restore, one_whose_program_is_killed_leaves_no_database, .timeout = 120) {
  Dumped d;

  const auto restored = d.restore(d.source(2'000'000, [] {
    for (const pid_t child : own_children("pg_restore")) ::kill(child, SIGKILL);
  }));

  cr_assert(!restored.ok());
  cr_expect(restored.error().message.find("signal 9") != std::string::npos, "%s",
            restored.error().message.c_str());
  cr_expect(restored.error().fault == Fault::transient);
  is_gone(d.rig);
}

Test(live_postgres_restore, one_of_several_that_is_killed_ends_the_others, .timeout = 120) {
  PostgresDumpRig c;
  c.fill();
  c.jobs = 3;
  MemoryMembers members;
  cr_assert(c.dump(members).ok());
  bool was_killed = false;
  const DumpSource pieces = dump_in(members);
  const auto restored = c.dumps.restore(
      {c.address("postgres"), "copy"}, members.member("globals.sql"),
      [&]() -> Result<DumpPiece> {
        auto piece = pieces();
        if (piece.ok() && piece.value().member.starts_with("data.") && !was_killed) {
          for (const pid_t child : own_children("pg_restore")) {
            was_killed = ::kill(child, SIGKILL) == 0;
          }
        }
        return piece;
      },
      c.ending);

  cr_assert(was_killed && !restored.ok());
  cr_expect(restored.error().message.find("signal 9") != std::string::npos, "%s",
            restored.error().message.c_str());
  cr_expect(own_children("pg_restore").empty());
  is_gone(c);
}

Test(live_postgres_restore, one_whose_server_stops_says_what_is_left, .timeout = 120) {
  Dumped d;

  const auto restored = d.restore(d.source(2'000'000, [&] { d.rig.rig.stop(); }));
  cr_assert(!restored.ok());
  cr_expect(restored.error().message.find("could not be dropped again") != std::string::npos);
  cr_expect(restored.error().fault == Fault::transient);
  cr_expect(restored.error().hint == "drop the database copy by hand");

  d.rig.rig.start();
  cr_expect(d.rig.dumps.drop(d.rig.address("postgres"), "copy").ok());
  is_gone(d.rig);
}

Test(live_postgres_restore, an_index_may_take_longer_than_anything_may_stand_still,
     .timeout = 120) {
  PostgresDumpLimits limits;
  limits.stall_ms = 300;
  const std::vector<std::string> slow_index = {
      "CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
      "$$BEGIN PERFORM pg_catalog.pg_sleep(0.2); RETURN n; END$$",
      "CREATE TABLE few AS SELECT generate_series(1, 10) AS n", "CREATE INDEX ON few (slow(n))"};
  Dumped d(limits, slow_index);

  const auto restored = d.restore(source_of(d.members.member("dump")));

  cr_assert(restored.ok(), "%s", restored.ok() ? "" : restored.error().message.c_str());
  cr_expect(difference(d.content, d.rig.facts("copy")).empty());
}

Test(live_postgres_restore, one_that_shall_end_ends_and_leaves_no_database, .timeout = 120) {
  const std::vector<std::string> endless_index = {
      "CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
      "$$BEGIN IF pg_catalog.current_database() <> 'app' THEN PERFORM pg_catalog.pg_sleep(600); "
      "END IF; RETURN n; END$$",
      "CREATE TABLE few AS SELECT 1 AS n", "CREATE INDEX ON few (slow(n))"};
  Dumped d({}, endless_index);
  std::thread stopper([&] {
    while (d.rig.rig.ask("SELECT count(*) FROM pg_stat_activity WHERE datname = 'copy' AND "
                         "wait_event = 'PgSleep'",
                         "postgres") != "1") {
    }
    d.rig.ending = true;
  });

  const auto restored = d.restore(source_of(d.members.member("dump")));
  stopper.join();

  cr_expect(!restored.ok());
  is_gone(d.rig);
}

Test(live_postgres_restore, a_dump_that_the_server_refuses_is_an_error, .timeout = 120) {
  Dumped d({},
           {"CREATE DATABASE later",
            "CREATE FUNCTION here(n int) RETURNS bool LANGUAGE sql AS "
            "$$SELECT pg_catalog.current_database() = 'app'$$",
            "CREATE TABLE only_here (n int CHECK (here(n)))", "INSERT INTO only_here VALUES (1)"});
  d.rig.run({"DROP DATABASE later"}, "postgres");

  const auto restored = d.restore(source_of(d.members.member("dump")));

  cr_assert(!restored.ok());
  cr_expect(restored.error().message.find("only_here") != std::string::npos, "%s",
            restored.error().message.c_str());
  cr_expect(restored.error().fault == Fault::rejected);
  is_gone(d.rig);
}

Test(live_postgres_restore, what_belongs_to_the_database_itself_comes_with_the_roles,
     .timeout = 120) {
  Dumped d({}, {"CREATE ROLE clerk", "CREATE ROLE head", "ALTER DATABASE app OWNER TO head",
                "REVOKE ALL ON DATABASE app FROM PUBLIC", "GRANT CONNECT ON DATABASE app TO clerk",
                "ALTER DATABASE app SET work_mem = '8MB'", "ALTER DATABASE app CONNECTION LIMIT 7",
                "ALTER ROLE clerk IN DATABASE app SET statement_timeout = '1s'",
                "COMMENT ON DATABASE app IS 'it''s the DATABASE app of ours'"});
  const std::string itself =
      "SELECT concat_ws(' ', pg_get_userbyid(datdba), datacl, datconnlimit, "
      "(SELECT array_agg(s.setrole::regrole || ' ' || s.setconfig::text ORDER BY 1) "
      " FROM pg_db_role_setting AS s WHERE s.setdatabase = d.oid), "
      "shobj_description(d.oid, 'pg_database')) "
      "FROM pg_database AS d WHERE datname = current_database()";
  const std::string before = d.rig.rig.ask(itself, "app");

  cr_expect(
      before.starts_with("head {") && before.find("DATABASE app of ours") != std::string::npos,
      "%s", before.c_str());
  const auto restored = d.restore(source_of(d.members.member("dump")), true, true);

  cr_assert(restored.ok(), "%s", restored.ok() ? "" : restored.error().message.c_str());
  cr_expect(d.rig.rig.ask(itself, "copy") == before, "%s in place of %s",
            d.rig.rig.ask(itself, "copy").c_str(), before.c_str());
  cr_expect(d.rig.dumps.drop(d.rig.address("postgres"), "copy").ok());
  cr_expect(d.restore(source_of(d.members.member("dump"))).ok());
  cr_expect(d.rig.rig.ask(itself, "copy") == "postgres -1");
}

Test(live_postgres_restore, roles_that_are_missing_are_made_and_others_left_alone, .timeout = 120) {
  Dumped d({}, {"CREATE ROLE \"Odd \"\"one\"\"\" LOGIN PASSWORD 'Odd;0' CONNECTION LIMIT 7",
                "CREATE ROLE above NOLOGIN", "CREATE ROLE stays LOGIN PASSWORD 'Stays0'",
                "GRANT above TO \"Odd \"\"one\"\"\"", "GRANT above TO stays",
                "ALTER ROLE \"Odd \"\"one\"\"\" SET work_mem = '8MB'",
                "ALTER TABLE small OWNER TO \"Odd \"\"one\"\"\"", "GRANT SELECT ON big TO above"});
  d.rig.run({"ALTER TABLE small OWNER TO postgres", "REVOKE SELECT ON big FROM above",
             "DROP ROLE \"Odd \"\"one\"\"\"", "DROP ROLE above", "ALTER ROLE stays NOLOGIN"});

  const auto restored = d.restore(source_of(d.members.member("dump")), true, true);

  cr_assert(restored.ok(), "%s", restored.ok() ? "" : restored.error().message.c_str());
  const auto is = [&](const std::string& query, const std::string& expected) {
    const std::string said = d.rig.rig.ask(query, "copy");
    cr_expect(said == expected, "%s: %s", query.c_str(), said.c_str());
  };
  is("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'Odd \"one\"'", "7");
  is("SELECT rolconfig::text FROM pg_roles WHERE rolname = 'Odd \"one\"'", "{work_mem=8MB}");
  is("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'stays'", "f");
  is("SELECT string_agg(member::regrole::text, ' ') FROM pg_auth_members "
     "WHERE roleid = 'above'::regrole",
     "\"Odd \"\"one\"\"\"");
  is("SELECT tableowner FROM pg_tables WHERE tablename = 'small'", "Odd \"one\"");
  is("SELECT has_table_privilege('above', 'big', 'SELECT')", "t");
  cr_expect(d.rig.rig.can_log_in("Odd \"one\"", "Odd;0"));
  cr_expect(d.rig.dumps.drop(d.rig.address("postgres"), "copy").ok());
  cr_expect(d.restore(source_of(d.members.member("dump")), true, true).ok());
}

Test(live_postgres_restore, room_is_known_where_the_server_is_on_this_machine, .timeout = 120) {
  PostgresDumpRig c;
  c.run({"CREATE ROLE clerk LOGIN PASSWORD 'Clerk0'"});
  const auto room_of = [&](const PostgresAddress& address) {
    const auto room = c.dumps.room(address);
    cr_assert(room.ok(), "%s", room.ok() ? "" : room.error().message.c_str());
    return room.value();
  };

  cr_expect(room_of(c.address("postgres")).value_or(ServerRoom{}).data_bytes > 0);
  const std::string socket = "postgresql:///app?user=postgres&host=" + c.rig.socket_folder() +
                             "&port=" + std::to_string(c.rig.port());
  cr_expect(room_of({socket, nullptr}).value_or(ServerRoom{}).data_bytes > 0);
  cr_expect(!room_of(c.rig.as("clerk", "Clerk0")).has_value());
}
