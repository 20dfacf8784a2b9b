// SQL that a person typed: run statement by statement on an open database, each with what it
// returned. For the shell and for files of edits; the controller has no use for it.
#pragma once

#include "controller/store/database.h"
#include "controller/store/home.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

// What one statement gave.
struct StatementResult {
  std::vector<std::string> columns;  // Empty: it is not one that returns rows.
  std::vector<Row> rows;
};

// Whether the text ends where a statement ends, so that it can be run.
bool is_whole_statement(std::string_view text);

// Runs the statement at the head of `script` and moves `script` past it. Nothing when only blanks
// and comments are left. The error names what SQLite says of the statement alone.
Result<std::optional<StatementResult>> run_next(Database& database, std::string_view& script);

// The names of the columns of the one statement in `query`, which it has without a row, too.
Result<std::vector<std::string>> columns_of(const Database& database, const std::string& query);

// Whether a BEGIN waits for its COMMIT.
bool is_in_transaction(const Database& database);

// Rows inserted, updated and deleted on this connection so far.
std::int64_t rows_changed(const Database& database);

// The version of the SQLite library that runs.
std::string_view sqlite_version();

// As long as one lives, the database refuses what would break out of the transaction around it:
// BEGIN, COMMIT, ROLLBACK, ATTACH and DETACH. What was refused can be asked.
class EditGuard {
 public:
  explicit EditGuard(Database& database);
  ~EditGuard();
  EditGuard(const EditGuard&) = delete;
  EditGuard& operator=(const EditGuard&) = delete;

  // "COMMIT", "ATTACH" …; empty when nothing was.
  const std::string& refused() const { return refused_; }

 private:
  static int judge(void* guard, int action, const char* first, const char* second,
                   const char* database, const char* trigger);

  Database& database_;
  std::string refused_;
};

// Whether desired.db holds rows that are not the ones in force: an edit that was not accepted yet,
// or was refused. The error is that of a file that cannot be read.
Result<bool> edit_is_pending(const Home& home, const Schema& schema);

}  // namespace rowlock
