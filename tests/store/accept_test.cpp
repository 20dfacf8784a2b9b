// Taking over what the engineer wrote: as a numbered revision with every row's change, or not at
// all and with every reason.
#include "controller/store/accept.h"

#include "tests/store/desk.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <filesystem>
#include <unistd.h>

using rowlock::Acceptance;
using rowlock::Acceptor;
using rowlock::Database;
using rowlock::DesiredFile;
using rowlock::Desk;
using rowlock::holds;
using rowlock::MadeHome;
using rowlock::Shell;

Test(accept, rows_inserted_updated_and_deleted_become_changes_with_what_was_before_and_after) {
  Desk desk;

  const Acceptance inserted = desk.edit(
      "INSERT INTO job (name, image) VALUES ('web', 'a:1'), ('api', 'b:1');"
      "INSERT INTO job_env (job, name, value) VALUES ('web', 'A', '1')");
  const Acceptance updated = desk.edit("UPDATE job_env SET value = '2'");
  const Acceptance deleted = desk.edit(
      "INSERT INTO approval (revision, table_name, deletes) VALUES (3, 'job_env', 1);"
      "DELETE FROM job_env");

  cr_expect_eq(inserted.revision, 2);
  cr_expect_eq(inserted.changes, 3);
  cr_expect_eq(updated.revision, 3);
  cr_expect_eq(deleted.revision, 4, "%s", desk.refusals(deleted).c_str());
  const auto change = [&](int revision) {
    return desk.value(
        fmt::format("SELECT row_key || ' ' || COALESCE(before, '-') || ' → ' || COALESCE(after, "
                    "'-') FROM change "
                    "WHERE table_name = 'job_env' AND revision = {}",
                    revision));
  };
  cr_expect(change(2) == R"(["web","A"] - → {"job":"web","name":"A","value":"1"})", "%s",
            change(2).c_str());
  cr_expect(change(3) == R"(["web","A"] {"job":"web","name":"A","value":"1"} → )"
                         R"({"job":"web","name":"A","value":"2"})",
            "%s", change(3).c_str());
  cr_expect(change(4) == R"(["web","A"] {"job":"web","name":"A","value":"2"} → -)", "%s",
            change(4).c_str());
  cr_expect(
      desk.value("SELECT group_concat(id || ':' || changes) FROM revision") == "1:1,2:3,3:1,4:2",
      "%s", desk.value("SELECT group_concat(id || ':' || changes) FROM revision").c_str());
  cr_expect(desk.value("SELECT group_concat(name) FROM job") == "api,web" ||
            desk.value("SELECT group_concat(name) FROM job") == "web,api");
}

Test(accept, nothing_new_is_no_revision) {
  Desk desk;

  const Acceptance again = desk.accept();
  const Acceptance same = desk.edit("UPDATE node SET site = site");

  cr_expect_eq(again.revision, 0);
  cr_expect_eq(same.revision, 0);
  cr_expect(again.violations.empty() && same.violations.empty());
}

Test(accept, many_rows_of_one_job_change_at_once) {
  Desk desk;
  desk.edit(
      "INSERT INTO job (name, image) VALUES ('web', 'a:1');"
      "INSERT INTO job_env (job, name) VALUES ('web', 'A'), ('web', 'B'), ('web', 'C')");

  const Acceptance accepted = desk.edit("UPDATE job_env SET value = 'x'");

  cr_expect_eq(accepted.changes, 3);
}

Test(accept, a_change_wakes_the_names_it_is_about) {
  Desk desk;
  desk.edit("INSERT INTO job (name, image) VALUES ('web', 'a:1'), ('api', 'b:1')");
  cr_assert(desk.state.run("DELETE FROM temp.dirty").ok());

  desk.edit("UPDATE job SET count = 2 WHERE name = 'api'");

  cr_expect(desk.value("SELECT group_concat(DISTINCT name) FROM temp.dirty") == "api", "%s",
            desk.value("SELECT group_concat(name) FROM temp.dirty").c_str());
}

Test(accept, one_bad_row_refuses_all_and_what_was_in_force_stays) {
  Desk desk;
  desk.edit("INSERT INTO job (name, image) VALUES ('web', 'a:1')");

  const Acceptance refused = desk.edit(
      "UPDATE job SET image = 'a:2';"
      "INSERT INTO job (name, image, type) VALUES ('nightly', 'b:1', 'batch')");

  cr_expect_eq(refused.revision, 0);
  cr_expect(holds(desk.refusals(refused),
                  "job nightly: job nightly has type 'batch', which this version does not have"),
            "%s", desk.refusals(refused).c_str());
  cr_expect(desk.value("SELECT image FROM job") == "a:1");
  cr_expect(desk.value("SELECT max(id) FROM revision") == "2");
  cr_expect(desk.value("SELECT count(*) FROM change WHERE revision > 2") == "0");
  cr_expect(desk.value("SELECT message FROM violation") == refused.violations.front().message);
  cr_expect(desk.value("SELECT state FROM status WHERE kind = 'desired'") == "refused");
}

Test(accept, a_refusal_goes_away_when_the_row_is_mended_or_taken_back) {
  Desk desk;
  desk.edit("INSERT INTO job (name, image, type) VALUES ('web', 'a:1', 'batch')");
  const std::string since = desk.value("SELECT min(since_ms) FROM refusal");
  desk.edit("INSERT INTO job (name, image, type) VALUES ('api', 'a:1', 'batch')");
  const std::string still_since = desk.value("SELECT min(since_ms) FROM refusal");

  const Acceptance mended = desk.edit("UPDATE job SET type = 'service'");
  const std::string after_mending = desk.value("SELECT count(*) FROM violation");
  desk.edit("UPDATE job SET type = 'batch' WHERE name = 'web'");
  const Acceptance taken_back = desk.edit("UPDATE job SET type = 'service'");

  cr_expect(since == still_since, "what was refused before keeps its moment");
  cr_expect_eq(mended.revision, 2);
  cr_expect(after_mending == "0", "%s", after_mending.c_str());
  cr_expect_eq(taken_back.revision, 0);
  cr_expect(taken_back.violations.empty());
  cr_expect(desk.value("SELECT count(*) FROM violation") == "0");
  cr_expect(desk.value("SELECT count(*) FROM status WHERE kind = 'desired'") == "0");
}

Test(accept, a_dangling_row_is_refused_though_the_triggers_are_gone) {
  Desk desk;
  desk.drop_triggers();

  const Acceptance refused = desk.edit(
      "INSERT INTO job_env (job, name) VALUES ('none', 'A');"
      "INSERT INTO job_port (job, label, port) VALUES ('none', 'http', 80);"
      "INSERT INTO job_mount (job, path, source) VALUES ('none', '/a', 'a');"
      "INSERT INTO job_constraint (job, attribute, value) VALUES ('none', 'site', 'x');"
      "INSERT INTO job_check (job, name, type, port) VALUES ('none', 'up', 'tcp', '80')");

  for (const char* table : {"job_env", "job_port", "job_mount", "job_constraint", "job_check"}) {
    cr_expect(holds(desk.refusals(refused),
                    fmt::format("{0} names the job 'none', which does not exist", table)),
              "%s: %s", table, desk.refusals(refused).c_str());
  }
}

Test(accept, every_impossible_value_is_refused_with_what_to_do) {
  struct Case {
    const char* edit;
    const char* said;
  };
  const std::vector<Case> cases = {
      {"INSERT INTO job_check (job, name, type, port) VALUES ('web', 'up', 'http', 'admin')",
       "check up of job web asks port 'admin', which the job does not have: INSERT INTO job_port, "
       "or name one of http"},
      {"INSERT INTO job_constraint (job, attribute, value) VALUES ('web', 'node', 'mars')",
       "job web must run on node 'mars', which does not exist: nodes are local"},
      {"UPDATE job_port SET host_port = 8080",
       "job web holds port 8080 of the node, which only one instance can"},
      {"UPDATE job_port SET host_port = 0; UPDATE job SET network = 'host'",
       "job web publishes port 80 from network 'host'"},
      {"UPDATE job SET update_order = 'stop_first'; UPDATE job_port SET host_port = 8080;"
       "INSERT INTO job (name, image, update_order) VALUES ('api', 'a:1', 'stop_first');"
       "INSERT INTO job_port (job, label, port, host_port) VALUES ('api', 'http', 80, 8080)",
       "jobs api and web both hold port 8080 of 127.0.0.1: give one another host_port"},
      {"INSERT INTO node (name) VALUES ('twin')",
       "node twin reaches the same engine as node local"},
      {"INSERT INTO node (name, driver) VALUES ('p', 'process')",
       "node p has driver 'process', which this version does not have: use 'docker'"},
      {"DROP TRIGGER job_command_update; UPDATE job SET command = '[\"sleep\",60]'",
       "job.command of web must be a JSON array of strings: put quotes around every item"},
      {"UPDATE job SET capabilities = '[7]'",
       "job.capabilities of web must be a JSON array of strings"},
  };

  for (const Case& bad : cases) {
    Desk desk;
    desk.edit(
        "INSERT INTO job (name, image) VALUES ('web', 'a:1'); INSERT INTO job_port (job, label, "
        "port) VALUES ('web', 'http', 80)");
    const Acceptance refused = desk.edit(bad.edit);
    cr_expect(holds(desk.refusals(refused), bad.said), "%s: %s", bad.edit,
              desk.refusals(refused).c_str());
  }
}

Test(accept, the_checks_of_this_binary_hold_though_the_file_has_none) {
  Desk desk;
  desk.drop_triggers();
  desk.edit("INSERT INTO job (name, image) VALUES ('web', 'a:1')");

  const Acceptance refused = desk.edit(
      "CREATE TABLE j AS SELECT * FROM job; DROP TABLE job; ALTER TABLE j RENAME TO job;"
      "UPDATE job SET count = -1; INSERT INTO job (name, count) VALUES ('Bad Name', 'x')");

  const std::string said = desk.refusals(refused);
  cr_expect(holds(said, "job web: job.count must be a whole number from 0 to 500"), "%s",
            said.c_str());
  cr_expect(holds(said, "job Bad Name: "), "%s", said.c_str());
  cr_expect(desk.value("SELECT count FROM job") == "1");
}

Test(accept, an_invariant_that_returns_a_row_refuses_the_change_and_shows_the_row) {
  Desk desk;
  desk.edit(
      "INSERT INTO invariant (name, query, message) VALUES ('small', 'SELECT name, count FROM job "
      "WHERE count > 3', "
      "'at most three of anything')");

  const Acceptance good =
      desk.edit("INSERT INTO job (name, image, count) VALUES ('web', 'a:1', 3)");
  const Acceptance bad = desk.edit("UPDATE job SET count = 4");

  cr_expect_eq(good.revision, 3);
  cr_expect(
      holds(desk.refusals(bad), "invariant small: at most three of anything (name web, count 4)"),
      "%s", desk.refusals(bad).c_str());
}

Test(accept, an_invariant_can_only_read_and_not_for_long) {
  struct Case {
    const char* query;
    const char* said;
  };
  const std::vector<Case> cases = {
      {"SELECT 1; DELETE FROM job", "is not one statement"},
      {"WITH x AS (SELECT 1) DELETE FROM job", "not authorized"},
      {"WITH x AS (SELECT 1) INSERT INTO event (at_ms, kind, name, target, what) VALUES (0, '', "
       "'', '', '')",
       "not authorized"},
      {"SELECT * FROM nowhere", "no such table: nowhere"},
      {"SELECT load_extension('x')", "not authorized"},
      {"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
       "takes more than 200 ms"},
      {"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
       "returns more than 1000 rows"},
      {"SELECT FROM", "syntax error"},
  };

  Desk desk;
  desk.edit("INSERT INTO job (name, image) VALUES ('web', 'a:1')");
  for (const Case& bad : cases) {
    std::string quoted;
    for (const char* letter = bad.query; *letter != '\0'; ++letter) {
      quoted += *letter == '\'' ? "''" : std::string(1, *letter);
    }
    const Acceptance refused = desk.edit(fmt::format(
        "INSERT OR REPLACE INTO invariant (name, query, message) VALUES ('odd', '{}', 'x')",
        quoted));
    cr_expect(holds(desk.refusals(refused), "invariant odd cannot be asked") &&
                  holds(desk.refusals(refused), bad.said),
              "%s: %s", bad.query, desk.refusals(refused).c_str());
    cr_expect(desk.value("SELECT count(*) FROM job") == "1");
  }
}

// Each of them is asked on the controller's loop.
Test(accept, all_invariants_have_the_time_of_one_together) {
  Desk desk;
  for (int i = 0; i < 20; ++i) {
    const Acceptance refused = desk.edit(fmt::format(
        "INSERT INTO invariant (name, query, message) VALUES ('slow-{:02}', 'WITH RECURSIVE n (i) "
        "AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n', 'x')",
        i));
    if (i == 0) continue;
    const std::string said = desk.refusals(refused);
    cr_expect(holds(said, "invariant slow-00 cannot be asked: its query takes more than 200 ms"),
              "%s", said.c_str());
    cr_expect(holds(said,
                    "invariant slow-01 cannot be asked: its query had no time left of the "
                    "200 ms that all invariants have together: narrow the queries"),
              "%s", said.c_str());
    break;
  }
}

Test(accept, an_older_file_that_lacks_a_column_takes_its_default) {
  Desk desk;
  desk.drop_triggers();

  const Acceptance accepted = desk.edit(
      "ALTER TABLE database DROP COLUMN job; ALTER TABLE proxy DROP COLUMN release_delay_ms;"
      "INSERT INTO database (name, url) VALUES ('db', 'postgresql://u@h:5432/d');"
      "INSERT INTO proxy (name) VALUES ('proxy'); PRAGMA user_version = 1");

  cr_expect_eq(accepted.revision, 2, "%s", desk.refusals(accepted).c_str());
  cr_expect(desk.value("SELECT job = '' FROM database") == "1");
  cr_expect(desk.value("SELECT release_delay_ms FROM proxy") == "0");
}

// Read as the default, two of three instances were stopped.
Test(accept, a_schema_that_rowlock_never_wrote_is_refused_with_the_difference) {
  struct Case {
    const char* edit;
    const char* said;
    const char* mend;
  };
  const Case cases[] = {
      {"ALTER TABLE job RENAME COLUMN restart TO generation",
       "the table job has no column restart; Rowlock does not know its generation",
       "ALTER TABLE job RENAME COLUMN generation TO restart"},
      {"PRAGMA user_version = 2; ALTER TABLE job RENAME COLUMN restart TO generation",
       "the table job has no column restart; Rowlock does not know its generation",
       "ALTER TABLE job RENAME COLUMN generation TO restart"},
      {"PRAGMA user_version = 0; ALTER TABLE proxy RENAME COLUMN release_delay_ms TO delay",
       "the table proxy has no column release_delay_ms",
       "ALTER TABLE proxy RENAME COLUMN delay TO release_delay_ms"},
      {"ALTER TABLE job_env RENAME TO env", "has no table job_env",
       "ALTER TABLE env RENAME TO job_env"},
  };
  for (const Case& bad : cases) {
    Desk desk;
    desk.drop_triggers();
    desk.edit("INSERT INTO job (name, image, count) VALUES ('web', 'a:1', 3)");

    const Acceptance refused = desk.edit(bad.edit);
    const std::string in_force = desk.value("SELECT count FROM job");
    const Acceptance mended = desk.edit(bad.mend);
    const Acceptance next = desk.edit("UPDATE job SET count = 4");

    cr_expect(holds(desk.refusals(refused), bad.said), "%s: %s", bad.edit,
              desk.refusals(refused).c_str());
    cr_expect(in_force == "3");
    cr_expect(mended.violations.empty(), "%s: %s", bad.mend, desk.refusals(mended).c_str());
    cr_expect_eq(next.revision, 3, "%s", desk.refusals(next).c_str());
  }
}

Test(accept, what_the_engineer_keeps_beside_our_tables_does_not_matter) {
  Desk desk;

  const Acceptance accepted = desk.edit(
      "CREATE TABLE note (text); INSERT INTO note VALUES ('x'); CREATE VIEW v AS SELECT 1;"
      "ALTER TABLE job ADD COLUMN owner TEXT;"
      "INSERT INTO job (name, image, owner) VALUES ('web', 'a:1', 'me')");

  cr_expect_eq(accepted.revision, 2, "%s", desk.refusals(accepted).c_str());
  cr_expect(desk.value("SELECT name FROM job") == "web");
}

Test(accept, a_newer_file_is_refused_and_what_was_in_force_stays) {
  Desk desk;
  desk.edit("INSERT INTO job (name, image) VALUES ('web', 'a:1')");

  const Acceptance refused = desk.edit("PRAGMA user_version = 99; UPDATE job SET image = 'a:2'");

  cr_expect(holds(desk.refusals(refused), "is from a newer Rowlock: it has version 99"), "%s",
            desk.refusals(refused).c_str());
  cr_expect(desk.value("SELECT image FROM job") == "a:1");
}

Test(accept, a_file_that_cannot_be_read_is_refused_and_what_was_in_force_stays) {
  for (const char* harm : {"delete", "garbage", "cut"}) {
    Desk desk;
    desk.edit("INSERT INTO job (name, image) VALUES ('web', 'a:1')");
    desk.shell.value("PRAGMA wal_checkpoint(TRUNCATE)");
    const std::string path = desk.made.home.desired_path();
    const std::string good = rowlock::contents(path);
    if (harm == std::string("delete")) {
      std::filesystem::remove(path);
    } else if (harm == std::string("garbage")) {
      rowlock::write(path, std::string(good.size(), '#'));
    } else {
      cr_assert_eq(truncate(path.c_str(), 5000), 0);
    }

    const Acceptance refused = desk.accept();
    const std::string in_force = desk.value("SELECT image FROM job");
    const std::string shown = desk.value("SELECT state FROM status WHERE kind = 'desired'");
    rowlock::write(path, good);
    const Acceptance mended = desk.accept();

    cr_expect_eq(refused.violations.size(), 1, "%s", harm);
    cr_expect(holds(desk.refusals(refused), "put"), "%s: %s", harm, desk.refusals(refused).c_str());
    cr_expect(in_force == "a:1", "%s", harm);
    cr_expect(shown == "refused", "%s", harm);
    cr_expect(mended.violations.empty() && mended.revision == 0, "%s: %s", harm,
              desk.refusals(mended).c_str());
    cr_expect(desk.value("SELECT count(*) FROM refusal") == "0", "%s", harm);
  }
}

Test(accept, a_file_that_is_held_is_neither_accepted_nor_refused) {
  Desk desk("delete");
  desk.edit("INSERT INTO job (name, image) VALUES ('web', 'a:1')");
  Shell other(desk.made.home.desired_path());
  cr_assert(other.run("BEGIN EXCLUSIVE; UPDATE job SET image = 'a:2'").empty());

  const Acceptance held = desk.accept();
  cr_assert(other.run("COMMIT").empty());
  const Acceptance free = desk.accept();

  cr_expect(holds(held.held, "another program is writing to it"), "%s", held.held.c_str());
  cr_expect(held.violations.empty() && held.revision == 0);
  cr_expect(free.held.empty());
  cr_expect_eq(free.revision, 3);
}
