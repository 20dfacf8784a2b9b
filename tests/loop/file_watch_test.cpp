// Hints from a real folder.
#include "controller/loop/file_watch.h"

#include <criterion/criterion.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <unistd.h>

using rowlock::Cause;
using rowlock::FileWatch;
using rowlock::Loop;

namespace {

struct Folder {
  Folder() {
    std::string pattern = std::filesystem::temp_directory_path() / "file_watch_XXXXXX";
    cr_assert_not_null(mkdtemp(pattern.data()));
    path = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const std::string& name) const { std::ofstream(path / name) << "changed"; }

  std::filesystem::path path;
};

// The names hinted at until `last` is.
std::set<std::string> hints_until(const std::string& last, const Folder& folder,
                                  const std::function<void()>& change) {
  Loop loop;
  std::set<std::string> names;
  auto watch = FileWatch::open(loop, folder.path, [&](const std::string& name) {
    names.insert(name);
    if (name == last) {
      loop.stop();
    }
  });
  cr_assert(watch.ok());
  loop.post(change);
  loop.run();
  return names;
}

}  // namespace

Test(file_watch, a_new_a_changed_and_a_moved_file_are_hinted_by_name, .timeout = 20) {
  const Folder folder;
  folder.write("old.db");

  const std::set<std::string> names = hints_until("moved.db", folder, [&] {
    folder.write("new.db");
    folder.write("old.db");
    std::filesystem::rename(folder.path / "old.db", folder.path / "moved.db");
  });

  cr_assert_eq(names.count("new.db"), 1);
  cr_assert_eq(names.count("old.db"), 1);
}

Test(file_watch, a_removed_file_is_hinted, .timeout = 20) {
  const Folder folder;
  folder.write("desired.db-wal");

  hints_until("desired.db-wal", folder,
              [&] { std::filesystem::remove(folder.path / "desired.db-wal"); });
}

Test(file_watch, a_missing_folder_is_an_error_that_names_it) {
  Loop loop;

  const auto watch = FileWatch::open(loop, "/nowhere/at/all", [](const std::string&) {});

  cr_assert_not(watch.ok());
  cr_assert(watch.error().cause == Cause::not_found);
  cr_assert(watch.error().message == "watch folder /nowhere/at/all: no such file or directory");
}

Test(file_watch, it_may_be_destroyed_in_its_callback_or_after_the_loop, .timeout = 20) {
  const Folder folder;
  auto loop = std::make_unique<Loop>();
  int calls = 0;
  std::unique_ptr<FileWatch> first;
  auto opened = FileWatch::open(*loop, folder.path, [&](const std::string&) {
    first.reset();
    ++calls;
    loop->stop();
  });
  first = std::move(opened).value();
  auto second = FileWatch::open(*loop, folder.path, [](const std::string&) {});

  loop->post([&] { folder.write("a.db"); });
  loop->run();
  loop.reset();

  cr_assert_eq(calls, 1);
  cr_assert(second.ok());
}
