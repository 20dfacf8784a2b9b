// Where an engineer's edits are taken over, one after the other, for tests of that.
#pragma once

#include "controller/store/accept.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <string>
#include <utility>

namespace rowlock {

// A home whose first file (the node `local`) was accepted as revision 1.
struct Desk {
  MadeHome made;
  Database state = made.state();
  DesiredFile file{made.home.desired_path(), made.schema};
  Acceptor acceptor{state, made.schema};
  Shell shell{made.home.desired_path()};
  std::int64_t now_ms = 1'000'000;

  explicit Desk(const std::string& journal_mode = "wal") {
    shell.value("PRAGMA journal_mode=" + journal_mode);
    cr_assert_eq(accept().revision, 1);
  }

  Acceptance accept() {
    auto accepted = acceptor.accept(file, now_ms += 1000);
    cr_assert(accepted.ok(), "%s", accepted.ok() ? "" : accepted.error().message.c_str());
    return std::move(accepted).value();
  }
  // Writes, then accepts.
  Acceptance edit(const std::string& statements) {
    const std::string said = shell.run(statements);
    cr_assert(said.empty(), "%s: %s", statements.c_str(), said.c_str());
    return accept();
  }
  std::string refusals(const Acceptance& acceptance) {
    std::string all;
    for (const auto& violation : acceptance.violations) {
      all += (all.empty() ? "" : " | ") + violation.table_name + " " + violation.row_key + ": " +
             violation.message;
    }
    return all;
  }
  std::string value(const std::string& query) {
    auto found = state.scalar(query);
    cr_assert(found.ok(), "%s", found.ok() ? "" : found.error().message.c_str());
    return rowlock::text_of(found.value());
  }
  // Takes the guards of the file away, as a foreign tool that recreates a table does.
  void drop_triggers() {
    for (std::string name = shell.value("SELECT name FROM sqlite_schema WHERE type = 'trigger'");
         !name.empty();
         name = shell.value("SELECT name FROM sqlite_schema WHERE type = 'trigger'")) {
      cr_assert(shell.run("DROP TRIGGER " + name).empty());
    }
  }
};

inline bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace rowlock
