// Making a home, opening what is in it, and keeping a second controller out.
#include "controller/store/home.h"

#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <filesystem>
#include <sys/stat.h>

using rowlock::Database;
using rowlock::EmbeddedFile;
using rowlock::Home;
using rowlock::HomeLock;
using rowlock::MadeHome;
using rowlock::Schema;
using rowlock::Shell;
using rowlock::TempFolder;

namespace {

std::string said(const rowlock::Error& error) { return error.message + ": " + error.hint; }

}  // namespace

Test(home, both_files_are_made_with_a_node_to_run_on) {
  MadeHome made;

  Shell desired(made.home.desired_path());
  Shell state(made.home.state_path());

  cr_expect(desired.value("SELECT name || driver FROM node") == "localdocker");
  cr_expect(desired.value("PRAGMA application_id") == std::to_string(rowlock::kApplicationId));
  cr_expect(state.value("PRAGMA application_id") == std::to_string(rowlock::kApplicationId));
  cr_expect(state.value("PRAGMA journal_mode") == "wal");
  cr_expect_eq(state.value("SELECT id FROM home").size(), 6);
  cr_expect(state.value("SELECT count(*) FROM plan") == "0", "nothing is accepted yet");
}

Test(home, others_are_kept_out_whatever_the_umask_and_whatever_was_there) {
  const TempFolder folder;
  const Schema schema;
  const auto mode = [](const std::string& path) {
    return fmt::format("{:o}", static_cast<unsigned>(std::filesystem::status(path).permissions()));
  };
  ::umask(022);
  std::filesystem::permissions(folder.path(), std::filesystem::perms{0755});
  const Home home(folder.path());

  cr_assert(home.create(schema, 1).ok());

  cr_expect(mode(folder.path()) == "750", "%s", mode(folder.path()).c_str());
  cr_expect(mode(home.desired_path()) == "660", "%s", mode(home.desired_path()).c_str());
  cr_expect(mode(home.state_path()) == "640", "%s", mode(home.state_path()).c_str());
  std::filesystem::permissions(folder.path(), std::filesystem::perms{02777});
  std::filesystem::permissions(home.state_path(), std::filesystem::perms{0666});
  cr_expect(home.keep_out_others().ok());
  cr_expect(mode(folder.path()) == "2770", "%s", mode(folder.path()).c_str());
  cr_expect(mode(home.state_path()) == "640", "%s", mode(home.state_path()).c_str());
  std::filesystem::permissions(folder.path(), std::filesystem::perms{0700});
  cr_expect(home.keep_out_others().ok());
  cr_expect(mode(folder.path()) == "700", "%s", mode(folder.path()).c_str());
}

Test(home, a_folder_that_everybody_shares_is_no_place_for_one) {
  const TempFolder folder;
  const Schema schema;
  std::filesystem::permissions(folder.path(), std::filesystem::perms{01777});

  const auto made = Home(folder.path()).create(schema, 1);

  cr_assert(!made.ok());
  cr_expect(said(made.error())
                    .find("a folder that everybody shares: make the home in a folder of "
                          "its own") != std::string::npos,
            "%s", said(made.error()).c_str());
  cr_expect(std::filesystem::is_empty(folder.path()));
}

Test(home, making_it_twice_is_refused_and_changes_nothing) {
  MadeHome made;
  Shell(made.home.desired_path()).run("INSERT INTO job (name, image) VALUES ('web', 'a:1')");
  const std::string id = Shell(made.home.state_path()).value("SELECT id FROM home");

  const auto again = made.home.create(made.schema, 2'000'000);

  cr_assert(!again.ok());
  cr_expect_eq(again.error().fault, rowlock::Fault::rejected);
  cr_expect(again.error().message.find("is a home already") != std::string::npos);
  cr_expect(Shell(made.home.desired_path()).value("SELECT count(*) FROM job") == "1");
  cr_expect(Shell(made.home.state_path()).value("SELECT id FROM home") == id);
}

Test(home, a_lost_state_file_is_no_reason_to_begin_anew) {
  for (const bool is_emptied : {false, true}) {
    MadeHome made;
    const std::string id = Shell(made.home.state_path()).value("SELECT id FROM home");
    Shell(made.home.desired_path()).run("INSERT INTO job (name, image) VALUES ('web', 'a:1')");
    std::filesystem::rename(made.home.state_path(), made.folder / "kept");
    if (is_emptied) rowlock::write(made.home.state_path(), "");

    const auto checked = made.home.check_state();
    const auto again = made.home.create(made.schema, 2'000'000);

    cr_assert(!checked.ok() && !again.ok());
    for (const char* part : {is_emptied ? "state.db is empty" : "state.db is not there",
                             "put state.db back", "rowlock recover", "rowlock init --new-id"}) {
      cr_expect(said(checked.error()).find(part) != std::string::npos, "%s",
                said(checked.error()).c_str());
    }
    cr_expect(said(again.error()) == said(checked.error()));
    cr_expect(std::filesystem::exists(made.home.state_path()) == is_emptied, "nothing was made");
    std::filesystem::rename(made.folder / "kept", made.home.state_path());
    cr_expect(made.home.check_state().ok(), "it was put back");
    cr_expect(Shell(made.home.state_path()).value("SELECT id FROM home") == id);
  }
}

Test(home, a_state_file_without_a_home_in_it_is_lost_as_well) {
  MadeHome made;
  std::filesystem::remove(made.home.state_path());
  Shell(made.home.state_path()).run("PRAGMA journal_mode = WAL; CREATE TABLE x (y)");

  const auto checked = made.home.check_state();

  cr_expect(!checked.ok() && checked.error().cause == rowlock::Cause::corrupt);
}

Test(home, a_person_may_give_a_lost_home_a_new_id) {
  MadeHome made;
  Shell(made.home.desired_path()).run("INSERT INTO job (name, image) VALUES ('web', 'a:1')");
  std::filesystem::remove(made.home.state_path());
  {
    const auto running = HomeLock::take(made.home, 1'000'000);
    const auto refused = made.home.create(made.schema, 2'000'000, true);
    cr_assert(!refused.ok());
    cr_expect(refused.error().message.find("a controller still runs") == 0, "%s",
              refused.error().message.c_str());
  }

  const auto again = made.home.create(made.schema, 2'000'000, true);

  cr_assert(again.ok(), "%s", again.ok() ? "" : said(again.error()).c_str());
  cr_expect(made.home.check_state().ok());
  cr_expect(Shell(made.home.desired_path()).value("SELECT count(*) FROM job") == "1");
}

Test(home, one_that_was_half_made_is_made_whole) {
  MadeHome made;
  std::filesystem::remove(made.home.desired_path());

  const auto again = made.home.create(made.schema, 2'000'000);

  cr_expect(again.ok(), "%s", again.ok() ? "" : said(again.error()).c_str());
}

Test(home, a_folder_without_a_home_is_told_from_a_lost_one) {
  TempFolder folder;
  const Home home(folder.path());

  const auto none = home.check_state();
  rowlock::write(home.lock_path(), "process 1");
  const auto lost = home.check_state();

  cr_assert(!none.ok() && !lost.ok());
  cr_expect(none.error().cause == rowlock::Cause::not_found);
  cr_expect(lost.error().cause == rowlock::Cause::corrupt, "a controller has run here");
}

Test(home, a_folder_that_cannot_be_made_says_so) {
  const auto made = Home("/proc/nowhere/home").create(Schema(), 0);

  cr_assert(!made.ok());
  cr_expect(said(made.error()).find("cannot make the folder /proc/nowhere/home") == 0, "%s",
            said(made.error()).c_str());
}

Test(home, a_path_with_a_quote_in_it_is_a_path_like_any_other) {
  TempFolder folder;
  const Schema schema;
  const Home home(folder / "the engineer's %41?x home");

  cr_assert(home.create(schema, 0).ok());
  const auto what_if = open_for_what_if(home, schema);

  cr_expect(what_if.ok(), "%s", what_if.ok() ? "" : what_if.error().message.c_str());
}

Test(home, state_from_a_newer_rowlock_is_refused_with_both_numbers) {
  MadeHome made;
  Shell(made.home.state_path()).run("PRAGMA user_version = 99");
  const auto ours = made.schema.migrations().size();

  const auto opened = open_state(made.home.state_path(), made.schema, 0);
  const auto read = open_state_for_reading(made.home, made.schema);

  cr_assert(!opened.ok() && !read.ok());
  const std::string expected = fmt::format("has version 99, this rowlock knows up to {}", ours);
  cr_expect(said(opened.error()).find(expected) != std::string::npos, "%s",
            said(opened.error()).c_str());
  cr_expect(said(read.error()).find("use the newer rowlock") != std::string::npos, "%s",
            said(read.error()).c_str());
}

Test(home, desired_from_a_newer_rowlock_is_not_edited) {
  MadeHome made;
  Shell(made.home.desired_path()).run("PRAGMA user_version = 99");

  const auto opened = open_desired_for_editing(made.home);

  cr_assert(!opened.ok());
  cr_expect(said(opened.error())
                    .find(fmt::format("has version 99, this rowlock knows up to {}",
                                      rowlock::kDesiredVersion)) != std::string::npos,
            "%s", said(opened.error()).c_str());
}

Test(home, a_state_file_that_is_no_database_is_refused) {
  TempFolder folder;
  rowlock::write(folder / "state.db", std::string(5000, 'x'));

  const auto opened = open_state(folder / "state.db", Schema(), 0);

  cr_assert(!opened.ok());
  cr_expect(said(opened.error()).find("is not a SQLite database") != std::string::npos, "%s",
            said(opened.error()).c_str());
}

namespace {

// What every schema needs.
constexpr EmbeddedFile kHistory = {
    "migrations/0001_history.sql",
    "CREATE TABLE home (only INTEGER PRIMARY KEY, id TEXT, created_at_ms INTEGER);"};
constexpr EmbeddedFile kClock = {
    "schema/a.sql",
    "-- @observed\nCREATE TABLE clock (\n  only INTEGER PRIMARY KEY,\n  now_ms INTEGER,\n"
    "  started_at_ms INTEGER,\n  watched_from_ms INTEGER,\n  wall_ms INTEGER\n);\n"};

}  // namespace

Test(home, a_table_whose_text_has_changed_is_rebuilt_with_its_rows) {
  TempFolder folder;
  constexpr EmbeddedFile kOld = {
      "schema/b.sql",
      "-- @observed\nCREATE TABLE boat (\n  id INTEGER PRIMARY KEY AUTOINCREMENT,\n  name TEXT,\n  "
      "rope "
      "TEXT\n);\nCREATE INDEX boat_by_name ON boat (name);\n-- @views\nCREATE VIEW boat_plan AS\n"
      "SELECT 'b' AS kind, name, name AS target, rope AS step, '' AS reason, 0 AS due_at_ms FROM "
      "boat;\n"};
  constexpr EmbeddedFile kNew = {
      "schema/b.sql",
      "-- @observed\nCREATE TABLE boat (\n  id INTEGER PRIMARY KEY AUTOINCREMENT,\n  oars INTEGER "
      "NOT "
      "NULL DEFAULT 2,\n  name TEXT\n);\nCREATE INDEX boat_by_name ON boat (name);\n-- @views\n"
      "CREATE VIEW boat_plan AS\n"
      "SELECT 'b' AS kind, name, name AS target, oars AS step, '' AS reason, 0 AS due_at_ms FROM "
      "boat;\n"};
  const EmbeddedFile before[] = {kClock, kOld, kHistory};
  const EmbeddedFile after[] = {kClock, kNew, kHistory};
  {
    auto state = open_state(folder / "state.db", Schema(before), 0);
    cr_assert(state.ok(), "%s", state.ok() ? "" : state.error().message.c_str());
    cr_assert(std::move(state)
                  .value()
                  .run("INSERT INTO boat (id, name, rope) VALUES (7, 'ada', 'x'), (9, 'bo', 'y')")
                  .ok());
  }

  auto state = open_state(folder / "state.db", Schema(after), 0);

  cr_assert(state.ok(), "%s", state.ok() ? "" : state.error().message.c_str());
  Shell shell(folder / "state.db");
  cr_expect(shell.value("SELECT group_concat(id || name || oars) FROM boat") == "7ada2,9bo2");
  cr_expect(shell.value("SELECT step FROM boat_plan") == "2");
  cr_expect(shell.value("SELECT count(*) FROM sqlite_schema WHERE name = 'boat_by_name'") == "1");
}

// What is in force is not another wish because Rowlock has learnt a word.
Test(home, a_column_that_came_later_says_of_older_rows_what_they_were) {
  TempFolder folder;
  constexpr EmbeddedFile kOld = {
      "schema/b.sql",
      "-- @observed\nCREATE TABLE job (\n  name TEXT PRIMARY KEY\n);\n"
      "CREATE TABLE boat (\n  id INTEGER PRIMARY KEY AUTOINCREMENT\n);\n"};
  constexpr EmbeddedFile kNew = {
      "schema/b.sql",
      "-- @observed\nCREATE TABLE job (\n  name TEXT PRIMARY KEY,\n  cpu_shares INTEGER NOT NULL "
      "DEFAULT 512\n);\nCREATE TABLE boat (\n  id INTEGER PRIMARY KEY AUTOINCREMENT\n);\n"};
  const EmbeddedFile before[] = {kClock, kOld, kHistory};
  const EmbeddedFile after[] = {kClock, kNew, kHistory};
  {
    auto state = open_state(folder / "state.db", Schema(before), 0);
    cr_assert(state.ok(), "%s", state.ok() ? "" : state.error().message.c_str());
    cr_assert(std::move(state).value().run("INSERT INTO job VALUES ('web')").ok());
  }

  auto state = open_state(folder / "state.db", Schema(after), 0);

  cr_assert(state.ok(), "%s", state.ok() ? "" : state.error().message.c_str());
  Shell shell(folder / "state.db");
  cr_expect(shell.run("INSERT INTO job (name) VALUES ('new')").empty());
  cr_expect(shell.value("SELECT group_concat(name || cpu_shares) FROM job") == "web0,new512");
}

Test(home, opening_state_again_keeps_every_row) {
  MadeHome made;
  made.state();
  Shell shell(made.home.state_path());
  shell.run(
      "INSERT INTO event (at_ms, kind, name, target, what) VALUES (1, 'a', 'b', 'c', 'd');"
      "INSERT INTO revision (id, at_ms, changes) VALUES (1, 1, 1)");
  const std::string id = shell.value("SELECT id FROM home");

  made.state();

  cr_expect(shell.value("SELECT count(*) FROM event") == "1");
  cr_expect(shell.value("SELECT count(*) FROM revision") == "1");
  cr_expect(shell.value("SELECT id FROM home") == id);
  cr_expect(shell.value("PRAGMA integrity_check") == "ok");
}

Test(home, a_second_controller_is_refused_and_told_who_the_first_is) {
  MadeHome made;
  {
    const auto first = HomeLock::take(made.home, 1'000'000);
    cr_assert(first.ok());

    const auto second = HomeLock::take(made.home, 2'000'000);

    cr_assert(!second.ok());
    cr_expect_eq(second.error().fault, rowlock::Fault::rejected);
    cr_expect(
        second.error().message ==
                fmt::format("another controller runs on {}: process {}, since 1970-01-01T00:16:40Z",
                            made.home.folder(), getpid()) ||
            second.error().message.find(fmt::format("process {}, since 1970-01-01T00:16:40",
                                                    getpid())) != std::string::npos,
        "%s", second.error().message.c_str());
    cr_expect(HomeLock::holder(made.home).find(fmt::format("process {}", getpid())) == 0);
  }
  cr_expect(HomeLock::holder(made.home).empty(), "nobody runs any more");
  cr_expect(HomeLock::take(made.home, 3'000'000).ok());
}

Test(home, a_copy_of_the_folder_is_another_place) {
  MadeHome made;
  TempFolder other;
  const auto place_of = [](const Home& home) { return HomeLock::take(home, 0).value().place(); };
  const std::string place = place_of(made.home);

  const int copied =
      std::system(fmt::format("cp -a {}/. {}", made.home.folder(), other.path()).c_str());

  cr_assert(copied == 0);
  cr_expect(place_of(made.home) == place, "it stays the same");
  cr_expect(place_of(Home(other.path())) != place);
}

Test(home, a_lock_without_a_home_says_what_to_do) {
  TempFolder folder;

  const auto lock = HomeLock::take(Home(folder / "none"), 0);

  cr_assert(!lock.ok());
  cr_expect(said(lock.error()).find("rowlock init --home") != std::string::npos, "%s",
            said(lock.error()).c_str());
}

Test(home, the_folder_is_given_or_named_by_the_environment_or_the_usual_one) {
  unsetenv("ROWLOCK_HOME");
  cr_expect(Home::at("").folder() == "/var/lib/rowlock");
  setenv("ROWLOCK_HOME", "/tmp/named", 1);
  cr_expect(Home::at("").folder() == "/tmp/named");
  cr_expect(Home::at("/tmp/given").folder() == "/tmp/given");
}

Test(home, a_what_if_shows_the_plan_of_an_edit_that_is_not_committed) {
  MadeHome made;
  { made.state(); }
  auto opened = open_for_what_if(made.home, made.schema);
  cr_assert(opened.ok(), "%s", opened.ok() ? "" : opened.error().message.c_str());
  Database shell = std::move(opened).value();

  cr_assert(shell.run("BEGIN; INSERT INTO job (name, image) VALUES ('web', 'a:1')").ok());
  const auto plan = shell.query("SELECT kind, name, step FROM plan WHERE name = 'web'");
  const auto violation =
      shell.run("INSERT INTO job (name, image, type) VALUES ('bad', 'a:1', 'batch')");
  const auto violations = shell.query("SELECT message FROM violation");
  const auto elsewhere = shell.run("DELETE FROM state.instance");
  cr_assert(shell.run("ROLLBACK").ok());
  const auto after = shell.query("SELECT kind, name, step FROM plan WHERE name = 'web'");

  cr_assert(plan.ok(), "%s", plan.ok() ? "" : plan.error().message.c_str());
  cr_expect(plan.value().size() == 1 && plan.value().front().text("step") == "deploy");
  cr_expect(violation.ok() && violations.ok() && violations.value().size() == 1);
  cr_expect(!elsewhere.ok(), "state.db is attached read-only");
  cr_expect(after.ok() && after.value().empty());
}

Test(home, an_edit_never_checkpoints) {
  MadeHome made;
  auto opened = open_desired_for_editing(made.home);
  Database desired = std::move(opened).value();
  Shell keeps_it_open(made.home.desired_path());
  keeps_it_open.value("SELECT count(*) FROM job");

  for (int i = 0; i < 1200; ++i) {
    cr_assert(desired.run("UPDATE node SET site = 'x' || :i", {{"i", std::int64_t{i}}}).ok());
  }

  cr_expect_gt(std::filesystem::file_size(made.home.desired_path() + "-wal"), 1200 * 4096);
}
