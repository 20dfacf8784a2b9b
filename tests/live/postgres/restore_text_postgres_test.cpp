// What RESTORE.txt says of a database is true: typed line by line, beside a real server, it gives
// the database back. Where PostgreSQL is not installed, nothing is tested.
#include "tests/backup/backup_files.h"
#include "tests/backup/restored_by_hand.h"
#include "tests/live/postgres/postgres_rig.h"

#include <criterion/criterion.h>

#include <cstdio>

using namespace rowlock;

namespace {

// What a program prints, as the superuser over the socket.
std::string printed_by(const PostgresRig& rig, const std::string& command) {
  const std::string whole = "PGHOST='" + rig.socket_folder() +
                            "' PGPORT=" + std::to_string(rig.port()) + " PGUSER=postgres " +
                            command;
  FILE* pipe = popen(whole.c_str(), "r");
  cr_assert(pipe != nullptr);
  std::string printed;
  char buffer[4096];
  for (std::size_t count = 0; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    printed.append(buffer, count);
  }
  cr_assert_eq(pclose(pipe), 0, "%s", command.c_str());
  return printed;
}

}  // namespace

// Two tables that belong to each other, and to a role.
struct School {
  PostgresRig rig;
  TempFolder folder;

  School() {
    // What no server has by itself.
    rig.ask("DROP DATABASE app", "postgres");
    rig.ask("CREATE DATABASE app TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'", "postgres");
    rig.ask(
        "CREATE TABLE pupil AS SELECT i AS id, md5(i::text) AS name FROM "
        "generate_series(1, 20000) AS i");
    rig.ask("ALTER TABLE pupil OWNER TO admin");
    rig.ask("ALTER TABLE pupil ADD PRIMARY KEY (id)");
    rig.ask("CREATE TABLE mark AS SELECT i AS id, i AS pupil FROM generate_series(1, 20000) AS i");
    rig.ask("ALTER TABLE mark ADD FOREIGN KEY (pupil) REFERENCES pupil");
  }

  void expect_back(const Members& members) {
    type_what_restore_text_says(backup_of(postgres_header(), members), folder,
                                {{"NEW", "app_again"}},
                                "export PGHOST='" + rig.socket_folder() +
                                    "' PGPORT=" + std::to_string(rig.port()) + " PGUSER=postgres");
    const std::string hash = "SELECT md5(string_agg(id || name, ',' ORDER BY id)) FROM pupil";
    cr_expect(rig.ask(hash, "app_again") == rig.ask(hash));
    cr_expect(rig.ask("SELECT count(*) FROM mark", "app_again") == "20000");
    const std::string place =
        "SELECT pg_encoding_to_char(encoding) || ' ' || datcollate || ' ' || datctype "
        "FROM pg_database WHERE datname = current_database()";
    cr_expect(rig.ask(place, "app_again") == "LATIN1 C C", "%s",
              rig.ask(place, "app_again").c_str());
    cr_expect(rig.ask("SELECT tableowner FROM pg_tables WHERE tablename = 'pupil'", "app_again") ==
              "admin");
    cr_expect(rig.ask("SELECT count(*) FROM pg_constraint WHERE contype IN ('p', 'f') "
                      "AND connamespace = 'public'::regnamespace",
                      "app_again") == "2");
  }
};

Test(live_restore_text, a_database_is_restored_by_hand, .timeout = 120) {
  School school;
  const PostgresRig& rig = school.rig;
  school.expect_back({{"globals.sql*", printed_by(rig, "pg_dumpall --globals-only")},
                      {"dump*", printed_by(rig, "pg_dump -Fc -Z0 app")}});
}

Test(live_restore_text, a_database_in_parts_is_restored_by_hand, .timeout = 120) {
  School school;
  const PostgresRig& rig = school.rig;
  const std::string dump = "pg_dump -Fc -Z0 app ";
  school.expect_back(
      {{"globals.sql*", printed_by(rig, "pg_dumpall --globals-only")},
       {"before*", printed_by(rig, dump + "--section=pre-data")},
       {"data.1+", printed_by(rig, dump + "--section=data --exclude-table-data=public.mark")},
       {"data.2+", printed_by(rig, dump + "--section=data --table=public.mark")},
       {"after*", printed_by(rig, dump + "--section=post-data")}});
}

// The way out that the text names, of a dump with what this server refuses.
Test(live_restore_text, what_a_server_refuses_is_left_out_by_hand, .timeout = 120) {
  School school;
  const PostgresRig& rig = school.rig;
  rig.ask(
      "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2'; "
      "CREATE FUNCTION four(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT twice(twice(n))'; "
      "CREATE INDEX mark_four ON mark (four(id))");
  const std::string dump = school.folder / "dump";
  const auto in_new = [&](const std::string& name, const std::string& command) {
    rig.ask("CREATE DATABASE " + name, "postgres");
    printed_by(rig, "bash -c \"" + command + "\"");
    return rig.ask("SELECT count(*) FROM mark", name) + " " +
           rig.ask("SELECT count(*) FROM pg_indexes WHERE indexname = 'mark_four'", name);
  };
  printed_by(rig, "pg_dump -Fc app >" + dump);

  const std::string left_out =
      in_new("by_list", "pg_restore --list " + dump + " | grep -v mark_four >" + dump +
                            ".list && pg_restore --exit-on-error --use-list " + dump +
                            ".list -d by_list " + dump);
  cr_expect(left_out == "20000 0", "%s", left_out.c_str());
  const std::string found =
      in_new("by_path", "pg_restore -f - " + dump +
                            " | sed \\\"s/set_config('search_path', '', false)/"
                            "set_config('search_path', 'public', false)/\\\" | psql -q -X -v "
                            "ON_ERROR_STOP=1 -d by_path");
  cr_expect(found == "20000 1", "%s", found.c_str());
}
