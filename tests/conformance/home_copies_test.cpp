// The fake home and a real one in a folder against the suite of copies.
#include "controller/backup/home_copies.h"

#include "tests/conformance/home_copies_suite.h"
#include "tests/fakes/fake_home_copies.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <filesystem>

using namespace rowlock;

namespace {

// Another program on both of its files.
void put_in_both(const Home& home, int value) {
  for (const std::string& path : {home.desired_path(), home.state_path()}) {
    Shell(path).run(fmt::format("PRAGMA busy_timeout = 2000; UPDATE twin SET value = {}", value));
  }
}

int value_in_copy(const std::string& bytes) {
  const TempFolder folder;
  write(folder / "copy.db", bytes);
  Shell shell(folder / "copy.db");
  if (shell.value("PRAGMA integrity_check") != "ok") return -1;
  if (shell.value("SELECT count(DISTINCT value) FROM twin") != "1") return -1;
  return std::stoi(shell.value("SELECT value FROM twin"));
}

}  // namespace

Test(conformance_home_copies, the_fake_behaves_like_every_home) {
  FakeHomeCopies copies;
  HomeCopiesFixture fixture;
  fixture.put = [&](int value) { copies.change(fmt::format(" {}", value)); };
  fixture.value_in = [](const std::string& name, const std::string& bytes) {
    const bool is_whole = bytes.starts_with(name == "state.db" ? "what was" : "what should be");
    return is_whole ? std::stoi(bytes.substr(bytes.rfind(' '))) : -1;
  };
  fixture.left_behind = [] { return std::vector<std::string>(); };

  check_home_copies(copies, fixture);
}

Test(conformance_home_copies, a_home_in_a_folder_behaves_like_every_home, .timeout = 120) {
  MadeHome made;
  const Database controller = made.state();
  for (const std::string& path : {made.home.desired_path(), made.home.state_path()}) {
    cr_assert(Shell(path)
                  .run("CREATE TABLE twin (name TEXT PRIMARY KEY, value INTEGER);"
                       "INSERT INTO twin VALUES ('one', 0), ('other', 0)")
                  .empty());
  }
  FolderCopies copies(made.home.folder());
  HomeCopiesFixture fixture;
  fixture.put = [&](int value) { put_in_both(made.home, value); };
  fixture.value_in = [](const std::string&, const std::string& bytes) {
    return value_in_copy(bytes);
  };
  fixture.left_behind = [&] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(made.home.folder())) {
      const std::string name = entry.path().filename();
      const bool is_its_own = name.starts_with("desired.db") || name.starts_with("state.db");
      if (!is_its_own) names.push_back(name);
    }
    return names;
  };

  check_home_copies(copies, fixture);
}
