// What a controller outlives by itself, with no engine to be found: signals of a terminal, a full
// disk at its start, a table that somebody dropped.
#include "tests/live/backups/small_disk.h"
#include "tests/live/rowlock/rowlock_child.h"
#include "tests/live/rowlock/rowlock_home.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

using namespace rowlock;
using namespace rowlock_live;

namespace {

// A home without any engine, and a controller on it once start() was called.
struct Alone {
  TempFolder own;
  Home home;
  Schema schema;
  std::string output = own / "log";
  std::unique_ptr<Child> controller;

  explicit Alone(const std::string& folder = "") : home(folder.empty() ? own / "home" : folder) {
    const char* binary = std::getenv("ROWLOCK_TEST_BINARY");
    if (binary == nullptr) cr_skip_test("ROWLOCK_TEST_BINARY names no rowlock");
    const auto made = home.create(schema, 0);
    cr_assert(made.ok(), "%s", made.ok() ? "" : made.error().message.c_str());
    Shell(home.desired_path()).run("UPDATE node SET endpoint = 'unix:///nowhere'");
  }
  void start() {
    controller =
        std::make_unique<Child>(std::vector<std::string>{std::getenv("ROWLOCK_TEST_BINARY"), "run",
                                                         "--home", home.folder()},
                                output);
  }
  void await_words(const std::string& words) {
    await_answer(
        "the log says " + words,
        [&] { return file_text(output).find(words) == std::string::npos ? "no" : "yes"; }, "yes",
        [&] { return file_text(output); });
  }
  std::string verb(const std::string& word) {
    const std::string told = own / "verb";
    Child child({std::getenv("ROWLOCK_TEST_BINARY"), word, "--home", home.folder()}, told);
    (void)child.await_end(kPatienceS);
    const std::string all = file_text(told);
    std::filesystem::remove(told);
    return all;
  }
};

}  // namespace

Test(live_rowlock_alone, a_terminal_that_closes_does_not_end_it, .timeout = 120) {
  Alone alone;
  alone.start();
  alone.await_words("runs");

  for (const int number : {SIGHUP, SIGPIPE, SIGHUP}) alone.controller->signal(number);
  Shell(alone.home.desired_path()).run("UPDATE node SET site = 'elsewhere'");
  alone.await_words("\"revision\":2");
  alone.controller->signal(SIGTERM);

  cr_expect_eq(alone.controller->await_end(kPatienceS), 0);
}

Test(live_rowlock_alone, a_table_that_was_dropped_is_made_again, .timeout = 120) {
  Alone alone;
  alone.start();
  alone.await_words("runs");

  cr_assert(
      Shell(alone.home.state_path()).run("PRAGMA busy_timeout = 5000; DROP TABLE retry").empty());
  alone.await_words("a table of state.db is gone");

  await_answer(
      "it is there",
      [&] { return Shell(alone.home.state_path()).value("SELECT count(*) FROM retry WHERE 0"); },
      "0", [&] { return file_text(alone.output); });
  cr_expect(!alone.controller->has_ended());
}

Test(live_rowlock_alone, one_that_cannot_be_made_again_is_refused_by_name, .timeout = 120) {
  Alone alone;
  cr_assert(Shell(alone.home.state_path()).run("DROP TABLE secret_version").empty());

  alone.start();

  cr_expect_neq(alone.controller->await_end(kPatienceS), 0);
  const std::string said = file_text(alone.output);
  cr_expect(said.find("has no table secret_version any more") != std::string::npos, "%s",
            said.c_str());
}

Test(live_rowlock_alone, a_full_disk_is_waited_for_and_status_says_so, .timeout = 180) {
  const SmallDisk disk;
  const std::string folder = disk.folder() + "/home";
  Alone alone(folder);
  disk.fill();

  alone.start();
  alone.await_words("the disk is full");
  cr_expect(!alone.controller->has_ended());
  disk.clear();
  alone.await_words("runs");
  disk.fill();
  const std::string status = alone.verb("status");
  disk.clear();

  cr_expect(status.find("the disk is full") != std::string::npos, "%s", status.c_str());
}
