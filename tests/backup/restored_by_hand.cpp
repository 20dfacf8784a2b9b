// The commands are taken from the text itself, so that a text that is wrong fails here and not with
// somebody at midnight.
#include "tests/backup/restored_by_hand.h"

#include "tests/backup/backup_files.h"

#include <criterion/criterion.h>

#include <cstdlib>
#include <sstream>

namespace rowlock {
namespace {

// Every place of a whole word.
void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

std::string type_what_restore_text_says(
    const std::string& file, const TempFolder& folder,
    const std::vector<std::pair<std::string, std::string>>& names, const std::string& environment) {
  write(folder / "file", file);
  write(folder / "identity", kIdentities[0]);
  const std::string told = "age -d -i '" + (folder / "identity") + "' '" + (folder / "file") +
                           "' | tar --zstd -xO RESTORE.txt >'" + (folder / "RESTORE.txt") + "'";
  cr_assert_eq(std::system(told.c_str()), 0);

  std::string script = "set -e\n" + environment + "\n";
  std::istringstream lines(contents(folder / "RESTORE.txt"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  ")) script += line + "\n";  // What is to be typed stands apart.
  }
  for (const auto& [from, to] : names) replace_all(script, from, to);
  replace_all(script, "IDENTITY", folder / "identity");
  replace_all(script, "FILE", folder / "file");
  write(folder / "script", script);
  const std::string command =
      "bash '" + (folder / "script") + "' >'" + (folder / "printed") + "' 2>&1";
  const int ended = std::system(command.c_str());
  const std::string printed = contents(folder / "printed");
  cr_assert_eq(ended, 0, "%s\n%s", script.c_str(), printed.c_str());
  return printed;
}

}  // namespace rowlock
