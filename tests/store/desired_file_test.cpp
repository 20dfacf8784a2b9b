// Whether desired.db changed, whoever wrote it and however; and what is said of one that cannot be
// read.
#include "controller/store/desired_file.h"

#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using rowlock::DesiredFile;
using rowlock::MadeHome;
using rowlock::Shell;

namespace {

const std::vector<std::string> kModes = {"wal", "delete", "truncate", "persist"};

// A file in that journal mode with one job, read once.
struct Watched {
  MadeHome made;
  DesiredFile file;

  explicit Watched(const std::string& mode) : file(made.home.desired_path(), made.schema) {
    Shell shell(path());
    shell.value("PRAGMA journal_mode=" + mode);
    cr_assert(shell.run("INSERT INTO job (name, image) VALUES ('web', 'a:1')").empty());
    cr_assert(file.changed());
    cr_assert(file.read().ok());
  }
  std::string path() const { return made.home.desired_path(); }
  std::string said() {
    const auto tables = file.read();
    return tables.ok() ? "" : tables.error().message + ": " + tables.error().hint;
  }
};

}  // namespace

Test(desired_file, a_commit_by_another_connection_is_noticed_in_every_journal_mode) {
  for (const std::string& mode : kModes) {
    Watched watched(mode);
    Shell shell(watched.path());

    for (int i = 0; i < 3; ++i) {
      cr_expect(!watched.file.changed(), "%s: nothing happened", mode.c_str());
      cr_assert(shell.run(fmt::format("UPDATE job SET image = 'a:{}'", i + 2)).empty());
      cr_expect(watched.file.changed(), "%s: a commit", mode.c_str());
      const auto tables = watched.file.read();
      cr_assert(tables.ok());
      cr_expect(tables.value().at("job").rows.front().text("image") == fmt::format("a:{}", i + 2));
    }
  }
}

Test(desired_file, what_was_read_or_rolled_back_is_no_change) {
  for (const std::string& mode : kModes) {
    Watched watched(mode);
    Shell shell(watched.path());

    cr_assert(shell.run("BEGIN; UPDATE job SET image = 'b:1'; ROLLBACK").empty());
    cr_expect(!watched.file.changed(), "%s", mode.c_str());
    cr_assert(shell.run("BEGIN; UPDATE job SET image = 'b:1'").empty());
    cr_expect(!watched.file.changed(), "%s: not committed", mode.c_str());
    cr_assert(shell.run("COMMIT").empty());
    cr_expect(watched.file.changed(), "%s", mode.c_str());
  }
}

Test(desired_file, a_file_that_was_moved_into_its_place_is_noticed_and_read) {
  for (const std::string& mode : kModes) {
    Watched watched(mode);
    const std::string other = watched.made.folder / "other.db";
    {
      Shell shell(watched.path());
      cr_assert(shell.run("VACUUM INTO '" + other + "'").empty());
      Shell copy(other);
      copy.value("PRAGMA journal_mode=" + mode);
      cr_assert(copy.run("UPDATE job SET image = 'moved:1'").empty());
      shell.value("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    std::filesystem::rename(other, watched.path());

    cr_expect(watched.file.changed(), "%s", mode.c_str());
    const auto tables = watched.file.read();
    cr_assert(tables.ok(), "%s: %s", mode.c_str(),
              tables.ok() ? "" : tables.error().message.c_str());
    cr_expect(tables.value().at("job").rows.front().text("image") == "moved:1", "%s", mode.c_str());
    cr_expect(!watched.file.changed(), "%s", mode.c_str());
  }
}

Test(desired_file, a_deleted_file_is_missed_and_welcomed_back) {
  for (const std::string& mode : kModes) {
    Watched watched(mode);
    const std::string kept = watched.made.folder / "kept.db";
    Shell(watched.path()).run("VACUUM INTO '" + kept + "'");

    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::filesystem::remove(watched.path() + suffix);
    }
    cr_expect(watched.file.changed(), "%s", mode.c_str());
    const std::string said = watched.said();
    const bool told_again = watched.file.changed();
    std::filesystem::copy(kept, watched.path());

    cr_expect(said.find("is not there: put it back") != std::string::npos, "%s", said.c_str());
    cr_expect(!told_again, "%s: it is still not there", mode.c_str());
    cr_expect(watched.file.changed(), "%s: it is back", mode.c_str());
    cr_expect(watched.file.read().ok(), "%s", mode.c_str());
  }
}

Test(desired_file, a_truncated_file_is_noticed_and_refused) {
  for (const std::string& mode : kModes) {
    Watched watched(mode);
    Shell(watched.path()).value("PRAGMA wal_checkpoint(TRUNCATE)");
    cr_assert_eq(truncate(watched.path().c_str(), 8192), 0);

    cr_expect(watched.file.changed(), "%s", mode.c_str());
    const std::string said = watched.said();

    cr_expect(said.find("put back a copy") != std::string::npos, "%s: '%s'", mode.c_str(),
              said.c_str());
    cr_expect(!watched.file.changed(), "%s: said once", mode.c_str());
  }
}

Test(desired_file, an_empty_file_is_refused) {
  Watched watched("delete");
  cr_assert_eq(truncate(watched.path().c_str(), 0), 0);

  cr_expect(watched.file.changed());
  const std::string said = watched.said();

  cr_expect(said.find("has no table") != std::string::npos, "%s", said.c_str());
}

Test(desired_file, garbage_written_over_it_is_noticed_and_refused_until_it_is_mended) {
  for (const std::string& mode : kModes) {
    Watched watched(mode);
    Shell(watched.path()).value("PRAGMA wal_checkpoint(TRUNCATE)");
    const std::string good = rowlock::contents(watched.path());

    rowlock::write(watched.path(), std::string(good.size(), '#'));
    cr_expect(watched.file.changed(), "%s", mode.c_str());
    const std::string said = watched.said();
    rowlock::write(watched.path(), good);

    cr_expect(said.find("is not a SQLite database") != std::string::npos, "%s: %s", mode.c_str(),
              said.c_str());
    cr_expect(watched.file.changed(), "%s: it is whole again", mode.c_str());
    cr_expect(watched.file.read().ok(), "%s: %s", mode.c_str(), watched.said().c_str());
  }
}

Test(desired_file, a_newer_file_is_refused_with_both_numbers) {
  Watched watched("wal");
  Shell(watched.path()).run("PRAGMA user_version = 99");

  cr_expect(watched.file.changed());
  const std::string said = watched.said();

  cr_expect(
      said.find(fmt::format("is from a newer Rowlock: it has version 99, this one knows up to {}",
                            rowlock::kDesiredVersion)) != std::string::npos,
      "%s", said.c_str());
}

Test(desired_file, a_lost_table_is_named) {
  Watched watched("wal");
  Shell(watched.path()).run("DROP TABLE job_mount");

  const std::string said = watched.said();

  cr_expect(said.find("has no table job_mount") != std::string::npos, "%s", said.c_str());
}

Test(desired_file, while_another_program_holds_it_the_answer_is_to_try_again) {
  Watched watched("delete");
  Shell shell(watched.path());
  cr_assert(shell.run("BEGIN EXCLUSIVE; UPDATE job SET image = 'b:1'").empty());

  const auto held = watched.file.read();
  cr_assert(shell.run("COMMIT").empty());

  cr_assert(!held.ok());
  cr_expect_eq(held.error().fault, rowlock::Fault::transient, "%s", held.error().message.c_str());
  cr_expect(watched.file.changed());
  cr_expect(watched.file.read().ok());
}

Test(desired_file, a_file_that_was_moved_there_and_is_held_is_not_forgotten) {
  Watched watched("delete");
  const std::string other = watched.made.folder / "other.db";
  Shell(watched.path()).run("VACUUM INTO '" + other + "'");
  Shell shell(other);
  cr_assert(shell.run("UPDATE job SET image = 'moved:1'; BEGIN EXCLUSIVE").empty());
  std::filesystem::rename(other, watched.path());

  cr_expect(watched.file.changed());
  cr_expect(!watched.file.read().ok());
  cr_expect(watched.file.changed(), "it was not read yet");
  cr_assert(shell.run("COMMIT").empty());
  cr_expect(watched.file.changed());
  cr_expect(watched.file.read().ok());
}

namespace {

// So many single-row edits, each a connection or a transaction of its own, while a reader does what
// the controller does. Returns how many edits and reads met a lock.
struct Met {
  int edits = 0;
  int reads = 0;
};
Met edit_in_a_loop(const std::string& mode, int edits, bool reconnect) {
  Watched watched(mode);
  std::atomic<bool> done = false;
  Met met;
  std::thread reader([&] {
    while (!done) {
      if (watched.file.changed() && !watched.file.read().ok()) {
        ++met.reads;
      }
      std::this_thread::yield();
    }
  });
  auto shell = std::make_unique<Shell>(watched.path());
  for (int i = 0; i < edits; ++i) {
    if (reconnect) {
      shell = std::make_unique<Shell>(watched.path());
    }
    met.edits += shell->run(fmt::format("UPDATE job SET restart = {}", i)).empty() ? 0 : 1;
  }
  done = true;
  reader.join();
  return met;
}

// How many; ROWLOCK_EDITS=10000 is the whole promise.
int edits() {
  const char* asked = std::getenv("ROWLOCK_EDITS");
  return asked == nullptr ? 1000 : std::atoi(asked);
}

}  // namespace

Test(desired_file, thousands_of_edits_in_a_tight_loop_never_meet_a_locked_database) {
  const Met kept_open = edit_in_a_loop("wal", edits(), false);
  const Met reconnecting = edit_in_a_loop("wal", edits(), true);

  cr_expect_eq(kept_open.edits, 0, "%d edits met a lock", kept_open.edits);
  cr_expect_eq(reconnecting.edits, 0, "%d edits of connections of their own met a lock",
               reconnecting.edits);
}

// No promise, but good to know: a rollback journal lets a reader stand in a writer's way.
Test(desired_file, edits_of_a_file_with_a_rollback_journal_meet_the_reader_now_and_then) {
  const Met met = edit_in_a_loop("delete", edits() / 10, false);

  cr_log_info("of %d edits %d met a lock, and so did %d reads", edits() / 10, met.edits, met.reads);
}
