// A desired.db of an earlier version: read as it is, and brought up to date only when asked.
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/store/accept.h"
#include "controller/store/came_with.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using rowlock::MadeHome;
using rowlock::Shell;

namespace {

// As version 1 had it: no routes, and with what an engineer may have added.
void make_old(MadeHome& made) {
  Shell shell(made.home.desired_path());
  for (const char* statement :
       {"INSERT INTO job (name, image) VALUES ('web', 'a:1')", "DROP TRIGGER job_rename",
        "DROP TABLE route_header", "DROP TABLE route", "DROP TABLE certificate", "DROP TABLE proxy",
        "ALTER TABLE job ADD COLUMN old_column TEXT", "CREATE TABLE note (job TEXT, words TEXT)",
        "CREATE INDEX note_by_job ON note (job)",
        "CREATE TRIGGER my_own AFTER INSERT ON job BEGIN INSERT INTO note VALUES (NEW.name, ''); "
        "END",
        "PRAGMA user_version = 1"}) {
    cr_assert(shell.run(statement).empty(), "%s", statement);
  }
}

}  // namespace

Test(upgrade, an_older_file_is_read_as_it_is) {
  MadeHome made;
  make_old(made);

  rowlock::DesiredFile file(made.home.desired_path(), made.schema);
  const auto read = file.read();

  cr_assert(read.ok(), "%s", read.ok() ? "" : read.error().message.c_str());
  cr_expect_eq(read.value().at("job").rows.size(), 1);
  cr_expect(read.value().at("route").rows.empty());
}

Test(upgrade, it_keeps_every_row_and_what_the_engineer_added) {
  MadeHome made;
  make_old(made);

  const auto upgraded = rowlock::upgrade_desired(made.home, made.schema);

  cr_assert(upgraded.ok(), "%s", upgraded.ok() ? "" : upgraded.error().message.c_str());
  Shell shell(made.home.desired_path());
  cr_expect(shell.value("PRAGMA user_version") == std::to_string(rowlock::kDesiredVersion));
  cr_expect(shell.value("SELECT name || drain_timeout_ms FROM job") == "web30000");
  cr_expect(shell.value("SELECT count(*) FROM route") == "0");
  cr_expect(shell.run("INSERT INTO job (name, image) VALUES ('api', 'a:1')").empty());
  cr_expect(shell.value("SELECT job FROM note") == "api", "the engineer's own trigger");
  cr_expect(shell.value("SELECT count(*) FROM sqlite_schema WHERE name = 'note_by_job'") == "1");
  cr_expect(!shell.run("INSERT INTO route (name, host, job, port) VALUES ('r', 'a.b', 'no', '1')")
                 .empty(),
            "the guards are there");
  cr_expect(Shell(upgraded.value().copy).value("PRAGMA user_version") == "1", "a copy is kept");
}

// An older Rowlock's jobs were made without what new rows have by default: none is made anew.
Test(upgrade, what_runs_goes_on_as_it_is) {
  MadeHome made;
  const char* const kSaid =
      "SELECT cpu_shares || ' ' || memory_max_mb || ' ' || read_only_tmpfs || ' ' || "
      "read_only_root FROM job WHERE name = 'web'";
  const char* const kOlder[] = {"ALTER TABLE job DROP COLUMN cpu_shares",
                                "ALTER TABLE job DROP COLUMN memory_max_mb",
                                "ALTER TABLE job DROP COLUMN read_only_tmpfs"};
  {
    Shell shell(made.home.desired_path());
    cr_assert(shell.run("INSERT INTO job (name, image, read_only_root) VALUES ('web', 'a:1', 0)")
                  .empty());
    for (const char* statement : kOlder) {
      cr_assert(shell.run(statement).empty(), "%s", statement);
    }
    cr_assert(shell.run("PRAGMA user_version = 6").empty());
  }

  rowlock::DesiredFile file(made.home.desired_path(), made.schema);
  const auto read = file.read();
  cr_assert(read.ok(), "%s", read.ok() ? "" : read.error().message.c_str());
  const rowlock::Row& row = read.value().at("job").rows.front();
  cr_expect_eq(row.integer("cpu_shares"), 0);
  cr_expect_eq(row.integer("memory_max_mb"), 0);
  cr_expect_eq(row.integer("read_only_tmpfs"), 0);

  cr_assert(rowlock::upgrade_desired(made.home, made.schema).ok());
  Shell shell(made.home.desired_path());
  cr_expect(shell.value(kSaid) == "0 0 0 0", "%s", shell.value(kSaid).c_str());
  cr_expect(shell.run("UPDATE job SET name = 'old'").empty() &&
            shell.run("INSERT INTO job (name, image) VALUES ('web', 'a:1')").empty());
  cr_expect(shell.value(kSaid) == "512 1024 1 1", "%s", shell.value(kSaid).c_str());
}

Test(upgrade, a_second_time_there_is_nothing_to_do) {
  MadeHome made;
  make_old(made);
  cr_assert(rowlock::upgrade_desired(made.home, made.schema).ok());

  const auto again = rowlock::upgrade_desired(made.home, made.schema);

  cr_assert(again.ok());
  cr_expect(again.value().copy.empty());
}

Test(upgrade, an_earlier_copy_is_not_written_over) {
  MadeHome made;
  make_old(made);
  rowlock::write(made.home.desired_path() + ".version-1", "mine");

  const auto refused = rowlock::upgrade_desired(made.home, made.schema);

  cr_assert(!refused.ok());
  cr_expect(refused.error().message.find("is there already") != std::string::npos);
  cr_expect(rowlock::contents(made.home.desired_path() + ".version-1") == "mine");
}

// What a file of each version has: a file that lacks any of it is none that Rowlock wrote.
Test(upgrade, the_version_is_raised_with_the_columns) {
  struct Version {
    std::int64_t number;
    const char* columns;
  };
  constexpr Version kVersions[] = {{1, "637d5e815e8feb0b"}, {2, "6b43c99871e06b86"},
                                   {3, "6898b08e0f477944"}, {4, "1d5427e19b1e48b5"},
                                   {5, "8381194301a69850"}, {6, "aa6bf236ec538e3c"},
                                   {7, "cf361a69d64e0c97"}};
  MadeHome made;
  auto opened =
      rowlock::Database::open(made.home.desired_path(), rowlock::Database::Mode::read_only);
  cr_assert(opened.ok());
  rowlock::Database desired = std::move(opened).value();
  const auto columns = desired.query(
      "SELECT t.name AS \"table\", c.name AS \"column\" FROM pragma_table_list AS t "
      "JOIN pragma_table_info(t.name) AS c WHERE t.schema = 'main' AND t.type = 'table' "
      "ORDER BY t.name, c.cid");
  cr_assert(columns.ok());

  cr_expect_eq(std::size(kVersions), static_cast<std::size_t>(rowlock::kDesiredVersion));
  for (const Version& version : kVersions) {
    std::string all;
    for (const rowlock::Row& row : columns.value()) {
      const std::string table = row.text("table");
      const std::string column = row.text("column");
      if (rowlock::came_with(table, column) > version.number) continue;
      all += (all.empty() ? "" : " ") + table + "." + column;
    }
    const std::string digest = rowlock::to_hex(rowlock::sha256(all)).substr(0, 16);
    cr_expect(digest == version.columns,
              "the columns of version %d are %s: what is new is written down in came_with.cpp with "
              "the next kDesiredVersion, which gets a row here: %s",
              static_cast<int>(version.number), digest.c_str(), all.c_str());
  }
}
