// What RESTORE.txt says of a home is true: typed line by line it gives the home back.
#include "controller/backup/backup_manifest.h"
#include "controller/backup/home_copies.h"
#include "tests/backup/backup_files.h"
#include "tests/backup/restored_by_hand.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <filesystem>

using namespace rowlock;

Test(restore_text, a_home_is_restored_by_hand, .timeout = 60) {
  MadeHome made;
  (void)made.state();
  write(made.home.unseal_age_path(), "a wrapped key");
  std::string file;
  auto begun =
      BackupFileWriter::begin({kRecipients[0]}, home_header(), [&](std::string_view bytes) {
        file += bytes;
        return Result<>(Done{});
      });
  cr_assert(begun.ok());
  const std::atomic<bool> never = false;
  cr_assert(FolderCopies(made.home.folder()).copy(*begun.value(), never).ok());
  cr_assert(begun.value()->finish(Json::object({})).ok());
  const TempFolder folder;
  const Home home(folder / "home");

  const std::string printed =
      type_what_restore_text_says(file, folder, {{"/var/lib/rowlock", home.folder()}});

  cr_expect(printed.find("manifest.json\n") != std::string::npos, "the list: %s", printed.c_str());
  cr_expect(contents(home.unseal_age_path()) == "a wrapped key");
  const std::string id = "SELECT id FROM home";
  cr_expect(Shell(home.state_path()).value(id) == Shell(made.home.state_path()).value(id));
  cr_expect(open_state(home.state_path(), made.schema, 2'000'000).ok());
  cr_expect(open_desired_for_editing(home).ok());
  for (const std::string name : {"desired.db", "state.db", "unseal.age"}) {
    const auto permissions = [&](const Home& of) {
      return std::filesystem::status(of.folder() + "/" + name).permissions();
    };
    if (name != "unseal.age") cr_expect(permissions(home) == permissions(made.home));
  }
}

Test(restore_text, it_names_the_backup_and_is_short) {
  const std::string of_database = restore_text(postgres_header("b-17"));
  const std::string of_home = restore_text(home_header());

  cr_expect(of_database.starts_with("Backup b-17\nof the PostgreSQL database school\n"));
  cr_expect(of_home.starts_with("Backup b-1\nof the home home-1\n"));
  for (const std::string& text : {of_database, of_home}) {
    cr_expect(text.find("begun at 2026-11-25T") != std::string::npos, "%s", text.c_str());
    cr_expect_lt(std::count(text.begin(), text.end(), '\n'), 40);
    cr_expect(text.find('{') == std::string::npos, "every place is filled in");
  }
}
