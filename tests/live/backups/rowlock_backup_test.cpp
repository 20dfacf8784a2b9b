// Backups with everything real: `rowlock run`, a PostgreSQL server, stores of files, age, tar and
// pg_restore.
#include "controller/adapters/process/command.h"
#include "tests/backup/backup_files.h"
#include "tests/live/postgres/postgres_rig.h"
#include "tests/live/rowlock/rowlock_home.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace rowlock;
using namespace rowlock_live;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kCommandMs = 60'000;
constexpr char kStates[] =
    "SELECT group_concat(state) FROM (SELECT state FROM backup WHERE policy = 'app' ORDER BY id)";

// A home, a server, and a store of files between them.
struct Rig {
  TempFolder folder;
  PostgresRig server;
  LiveHome home;

  Rig() {
    fs::create_directory(store());
    write_private(identity(), kIdentities[0] + "\n");
    require(server
                .ask("CREATE TABLE pupil (id int PRIMARY KEY, name text, born date); "
                     "INSERT INTO pupil SELECT i, 'pupil ' || i, '2010-01-01'::date + i % 2000 "
                     "FROM generate_series(1, 5000) AS i; CREATE TABLE \"Odd name\" (x text); "
                     "INSERT INTO \"Odd name\" VALUES ('a'), ('a'), (NULL)")
                .empty(),
            "the tables could not be made");
    home.start_and_reach();
    home.accept(fmt::format(
        "INSERT INTO object_store (name, url, recipients, identity_file) VALUES ('files', "
        "'file://{}', '[\"{}\"]', '{}'); "
        "INSERT INTO backup_policy (name, kind, store, enabled) VALUES ('home', 'home', 'files', "
        "0); INSERT INTO database (name, url) VALUES ('app', '{}')",
        store(), kRecipients[0], identity(), url("app")));
  }

  // Over the socket, which asks for no password.
  std::string url(const std::string& database) const {
    return fmt::format("postgresql://postgres@/{}?host={}&port={}", database,
                       server.socket_folder(), server.port());
  }
  std::string store() const { return folder / "store"; }
  std::string identity() const { return folder / "identity"; }
  void insert_policy(const std::string& columns = "", const std::string& values = "") {
    home.accept(fmt::format(
        "INSERT INTO backup_policy (name, database, store{}) VALUES ('app', 'app', 'files'{})",
        columns, values));
  }
  void await_verified() {
    home.await("SELECT state FROM status WHERE kind = 'backup' AND name = 'app'", "converged", 120);
  }
  void must(const std::vector<std::string>& verb) {
    int code = 0;
    const std::string said = home.verb(verb, &code);
    require(code == 0, verb[0] + ": " + said);
  }
  // Two bytes in the middle.
  void spoil_newest() {
    const std::string file =
        store() + "/" + home.state("SELECT object FROM backup ORDER BY id DESC LIMIT 1");
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2));
    stream.put('X').put('Y');
  }
  std::vector<std::string> objects() const {
    std::vector<std::string> found;
    for (const auto& each : fs::recursive_directory_iterator(store())) {
      if (each.is_regular_file()) found.push_back(each.path());
    }
    return found;
  }
};

std::string shell(const std::string& script) {
  const auto ran = run_command({"/bin/bash", "-c", "set -o pipefail; " + script}, kCommandMs);
  require(ran.ok(), ran.ok() ? "" : ran.error().message);
  require(ran.value().exit_code == 0, script + ": " + ran.value().output);
  return ran.value().output;
}

}  // namespace

Test(live_rowlock_backup, a_database_is_backed_up_restored_and_compared_and_restored_when_lost,
     .timeout = 300) {
  Rig rig;
  rig.insert_policy();
  rig.await_verified();

  const std::string before =
      rig.server.ask("SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM pupil AS p");
  cr_expect(rig.home.state(
                "SELECT count(*) FROM backup WHERE state = 'verified' AND policy = 'app'") == "1");
  cr_expect(rig.server.ask("SELECT count(*) FROM pg_database WHERE datname LIKE 'rowlock%'") == "0",
            "a scratch database is left");

  require(rig.server.ask("DROP DATABASE app", "postgres").empty(), "it could not be dropped");
  int code = 0;
  const std::string said = rig.home.verb({"restore", "app", "--into", rig.url("app")}, &code);
  cr_expect(code == 0, "%s", said.c_str());
  cr_expect(rig.server.ask("SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM pupil AS p") ==
            before);
  cr_expect(rig.server.ask("SELECT count(*) FROM \"Odd name\"") == "3");
}

// By rows that take their time to be taken in, and a store that takes its time.
Test(live_rowlock_backup, what_takes_long_says_how_far_it_is, .timeout = 300) {
  Rig rig;
  require(rig.server
              .ask("CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE sql AS 'SELECT "
                   "pg_catalog.pg_sleep(0.001) IS NOT NULL'; CREATE TABLE slow (id int, CHECK "
                   "(slow(id))); INSERT INTO slow SELECT generate_series(1, 2000)")
              .empty(),
          "the table could not be made");
  rig.insert_policy(", bytes_per_s", ", 8000");
  rig.await_verified();
  int code = 0;
  const std::string backed_up = rig.home.verb({"backup", "app"}, &code);
  cr_expect(code == 0, "%s", backed_up.c_str());
  cr_expect(backed_up.find("dumping: ") != std::string::npos, "%s", backed_up.c_str());
  cr_expect(backed_up.find("KB so far") != std::string::npos, "%s", backed_up.c_str());
  cr_expect(backed_up.find("restoring: ") != std::string::npos, "%s", backed_up.c_str());

  const std::string restored = rig.home.verb({"restore", "app", "--into", rig.url("again")}, &code);
  cr_expect(code == 0, "%s", restored.c_str());
  cr_expect(restored.find("restoring: ") != std::string::npos, "%s", restored.c_str());
  cr_expect(rig.server.ask("SELECT count(*) FROM slow", "again") == "2000");
  cr_expect(rig.home.state("SELECT count(*) FROM progress") == "0");

  // A row that is deleted in the midst leaves nothing on the server.
  rig.home.edit(
      fmt::format("INSERT INTO restore (name, policy, into_url) VALUES ('half', 'app', '{}')",
                  rig.url("half")));
  rig.home.await("SELECT count(*) FROM progress WHERE target = 'half' AND phase = 'restoring'",
                 "1");
  rig.home.accept_deletion("DELETE FROM restore WHERE name = 'half'", "restore", 1);
  rig.home.await("SELECT count(*) FROM restore_run WHERE restore = 'half'", "0");
  cr_expect(rig.server.ask("SELECT count(*) FROM pg_database WHERE datname LIKE 'rowlock%' OR "
                           "datname = 'half'") == "0");
}

Test(live_rowlock_backup, what_is_there_is_put_aside_only_when_that_is_said, .timeout = 300) {
  Rig rig;
  rig.insert_policy(", jobs", ", 3");
  rig.await_verified();
  require(rig.server.ask("UPDATE pupil SET name = 'spoiled'").empty(), "");

  int code = 0;
  const std::string refused = rig.home.verb({"restore", "app", "--into", rig.url("app")}, &code);
  cr_expect(code != 0);
  cr_expect(refused.find("app") != std::string::npos, "%s", refused.c_str());
  cr_expect(rig.server.ask("SELECT name FROM pupil WHERE id = 1") == "spoiled");

  const std::string said =
      rig.home.verb({"restore", "app", "--into", rig.url("app"), "--replace", "app"}, &code);
  cr_expect(code == 0, "%s", said.c_str());
  cr_expect(rig.server.ask("SELECT name FROM pupil WHERE id = 1") == "pupil 1");
  cr_expect(rig.server.ask("SELECT count(*) FROM pg_database WHERE datname LIKE 'app_before_%'") ==
            "1");
}

Test(live_rowlock_backup, stock_tools_open_what_is_stored, .timeout = 300) {
  Rig rig;
  rig.insert_policy();
  rig.await_verified();
  cr_assert_eq(rig.objects().size(), 1);
  const std::string file = rig.objects()[0];

  require(rig.server.ask("CREATE DATABASE again", "postgres").empty(), "");
  shell(
      fmt::format("age -d -i {} {} | tar --zstd -xO dump | pg_restore -h {} -p {} -U postgres "
                  "--no-owner -d again",
                  rig.identity(), file, rig.server.socket_folder(), rig.server.port()));

  cr_expect(rig.server.ask("SELECT count(*) FROM pupil", "again") == "5000");
  cr_expect(shell(fmt::format("age -d -i {} {} | tar --zstd -xO globals.sql", rig.identity(), file))
                .find("CREATE ROLE admin") != std::string::npos);
}

Test(live_rowlock_backup, what_does_not_hold_what_was_dumped_is_no_backup_and_deletes_nothing,
     .timeout = 300) {
  Rig rig;
  // Without a rule everything is kept.
  rig.insert_policy(", verify_schedule, keep_daily, keep_weekly, keep_monthly",
                    ", '0 0 1 1 *', 0, 0, 0");
  rig.home.await("SELECT state FROM backup WHERE policy = 'app'", "stored");
  rig.must({"backup", "app", "--verify"});
  rig.must({"backup", "app"});
  rig.spoil_newest();
  int code = 0;
  const std::string said = rig.home.verb({"backup", "app", "--verify"}, &code);
  cr_expect(code == 1, "%s", said.c_str());

  // Another one takes its place, and only then it goes.
  rig.home.await(kStates, "verified,expired,verified");
  cr_expect_eq(rig.objects().size(), 2);

  // One is enough from now on: the next good one is verified before the older verified ones go.
  rig.home.accept("UPDATE backup_policy SET keep_last = 1 WHERE name = 'app'");
  rig.must({"backup", "app"});
  rig.home.await(kStates, "expired,expired,expired,verified");
  cr_expect_eq(rig.objects().size(), 1);
}

Test(live_rowlock_backup, killed_at_any_moment_no_half_object_is_taken_for_a_backup,
     .timeout = 600) {
  Rig rig;
  rig.insert_policy();
  for (int i = 0; i < 12; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(23 * i));
    rig.home.kill();
    rig.home.start();
    rig.home.await("SELECT count(*) > 0 FROM status", "1");
    rig.home.edit(
        fmt::format("INSERT INTO backup_request (name, policy) VALUES ('r{}', 'app')", i));
  }
  // Every request is heard, every try has come to its end, and nothing is left to do.
  rig.home.await("SELECT count(*) FROM backup_request_heard", "12");
  rig.home.await(
      "SELECT (SELECT count(*) FROM plan WHERE name = 'app' AND step <> 'wait') + (SELECT count(*) "
      "FROM backup WHERE policy = 'app' AND (state IN ('due', 'running', 'verifying') OR "
      "unsettled = 1))",
      "0", 150);
  cr_expect(std::to_string(rig.objects().size()) ==
            rig.home.state("SELECT count(*) FROM backup WHERE state IN ('stored', 'verified')"));
  rig.home.kill();

  // Whatever is visible in the store opens to its end.
  for (const std::string& file : rig.objects()) {
    shell(fmt::format("age -d -i {} {} | tar --zstd -xO dump | pg_restore -f /dev/null",
                      rig.identity(), file));
  }
}
