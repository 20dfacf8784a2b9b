// A home in a folder of its own for the tests of the verbs, with a stand-in for the controller that
// accepts edits and looks at nothing.
#pragma once

#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/command_line.h"
#include "controller/store/accept.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace rowlock_test {

struct CliHome {
  CliHome() {
    const auto made = home.create(schema, rowlock::system_now_ms());
    cr_assert(made.ok(), "%s", made.ok() ? "" : made.error().message.c_str());
  }
  ~CliHome() { std::filesystem::remove_all(folder); }
  CliHome(const CliHome&) = delete;
  CliHome& operator=(const CliHome&) = delete;

  static std::string new_folder() {
    std::string path = "/tmp/rowlock-cli.XXXXXX";
    cr_assert(mkdtemp(path.data()) != nullptr);
    return path;
  }

  // What an engineer does with any SQLite client.
  void edit(const std::string& sql) const {
    auto desired = rowlock::open_desired_for_editing(home);
    cr_assert(desired.ok());
    auto database = std::move(desired).value();
    const auto ran = database.run(sql);
    cr_assert(ran.ok(), "%s", ran.ok() ? "" : ran.error().message.c_str());
  }

  // `rowlock WORDS` on this home; as JSON unless --plain is among them, so that nothing is asked of
  // anybody.
  rowlock::Ended run(std::vector<std::string> words) const {
    if (std::find(words.begin(), words.end(), "--plain") == words.end()) {
      words.push_back("--json");
    }
    words.insert(words.end(), {"--no-color", "--home", folder});
    rowlock::CommandLine line;
    rowlock::add_all_verbs(line.verbs());
    return line.run(words);
  }

  // What the controller does when it notices.
  rowlock::Acceptance accept() const {
    auto opened = rowlock::open_state(home.state_path(), schema, rowlock::system_now_ms());
    cr_assert(opened.ok());
    auto state = std::move(opened).value();
    rowlock::Acceptor acceptor(state, schema);
    rowlock::DesiredFile file(home.desired_path(), schema);
    const auto accepted = acceptor.accept(file, rowlock::system_now_ms());
    cr_assert(accepted.ok(), "%s", accepted.ok() ? "" : accepted.error().message.c_str());
    return accepted.value();
  }

  // The first value of a query on desired.db, or on state.db, as text.
  std::string desired(const std::string& query) const { return ask(home.desired_path(), query); }
  std::string state(const std::string& query) const { return ask(home.state_path(), query); }

  static std::string ask(const std::string& path, const std::string& query) {
    auto opened = rowlock::Database::open(path, rowlock::Database::Mode::read_only);
    cr_assert(opened.ok());
    auto database = std::move(opened).value();
    auto value = database.scalar(query);
    cr_assert(value.ok(), "%s", value.ok() ? "" : value.error().message.c_str());
    return rowlock::text_of(value.value());
  }

  // A file in the folder, for verbs that read one.
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder + "/" + name) << text;
    return folder + "/" + name;
  }

  std::string folder = new_folder();
  rowlock::Home home{folder};
  rowlock::Schema schema;
};

inline std::string message_of(const rowlock::Ended& ended) {
  return ended.error ? ended.error->message : "";
}

}  // namespace rowlock_test
