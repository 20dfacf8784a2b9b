// What RESTORE.txt says of a database is true: typed line by line, beside a real server, it gives
// the database back. Where PostgreSQL is not installed, nothing is tested.
#include "tests/backup/backup_files.h"
#include "tests/backup/restored_by_hand.h"
#include "tests/live/postgres_rig.h"

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

Test(live_restore_text, a_database_is_restored_by_hand, .timeout = 120) {
  PostgresRig rig;
  rig.ask(
      "CREATE TABLE pupil AS SELECT i AS id, md5(i::text) AS name FROM "
      "generate_series(1, 20000) AS i");
  rig.ask("ALTER TABLE pupil OWNER TO admin");
  const std::string hash = "SELECT md5(string_agg(id || name, ',' ORDER BY id)) FROM pupil";
  const std::string file =
      backup_of(postgres_header(), {{"globals.sql*", printed_by(rig, "pg_dumpall --globals-only")},
                                    {"dump*", printed_by(rig, "pg_dump -Fc -Z0 app")}});
  const TempFolder folder;

  type_what_restore_text_says(file, folder, {{"NEW", "app_again"}},
                              "export PGHOST='" + rig.socket_folder() +
                                  "' PGPORT=" + std::to_string(rig.port()) + " PGUSER=postgres");

  cr_expect(rig.ask("SELECT count(*) FROM pupil", "app_again") == "20000");
  cr_expect(rig.ask(hash, "app_again") == rig.ask(hash));
  cr_expect(rig.ask("SELECT tableowner FROM pg_tables WHERE tablename = 'pupil'", "app_again") ==
            "admin");
}
