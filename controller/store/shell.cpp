// Unlike Database, this knows nothing of the text beforehand: one statement at a time is compiled,
// run and forgotten, and its columns are whatever it returns.
#include "controller/store/shell.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <memory>

namespace rowlock {
namespace {

using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

Error error_of(sqlite3* handle) {
  const int code = sqlite3_errcode(handle) & 0xff;
  Error error{Fault::rejected, Cause::other, sqlite3_errmsg(handle), ""};
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
    error.fault = Fault::transient;
    error.hint = "another program is writing to the file: end its transaction, or try again";
  } else if (code == SQLITE_READONLY) {
    error.hint = "state.db is Rowlock's own: change the rows of desired.db, and it follows";
  }
  return error;
}

Value cell(sqlite3_stmt* statement, int column) {
  const int type = sqlite3_column_type(statement, column);
  if (type == SQLITE_NULL) {
    return std::monostate{};
  }
  if (type == SQLITE_INTEGER) {
    return std::int64_t{sqlite3_column_int64(statement, column)};
  }
  if (type == SQLITE_FLOAT) {
    return sqlite3_column_double(statement, column);
  }
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return size == 0 ? std::string() : std::string(bytes, size);
}

std::vector<std::string> columns_of(sqlite3_stmt* statement) {
  std::vector<std::string> columns;
  for (int i = 0; i < sqlite3_column_count(statement); ++i) {
    columns.emplace_back(sqlite3_column_name(statement, i));
  }
  return columns;
}

// The table in the columns that both files have, as a difference one way.
Result<bool> table_differs(Database& database, const std::string& table) {
  const auto columns = TRY(database.scalar(
      "SELECT group_concat('\"' || d.name || '\"', ', ') FROM pragma_table_info(:name, 'main') AS d"
      " JOIN pragma_table_info(:name, 'state') AS s USING (name)",
      {{"name", table}}));
  const std::string both = text_of(columns);
  if (both.empty()) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("{} has no table {}", database.path(), table),
                 "put back a copy, or make it anew with `rowlock revert --all`"};
  }
  const auto differs = TRY(database.scalar(
      fmt::format("SELECT EXISTS (SELECT {0} FROM main.{1} EXCEPT SELECT {0} FROM state.{1})"
                  " OR EXISTS (SELECT {0} FROM state.{1} EXCEPT SELECT {0} FROM main.{1})",
                  both, table)));
  return std::get<std::int64_t>(differs) != 0;
}

}  // namespace

bool is_whole_statement(std::string_view text) {
  return sqlite3_complete(std::string(text).c_str()) != 0;
}

Result<std::optional<StatementResult>> run_next(Database& database, std::string_view& script) {
  sqlite3* handle = database.handle();
  sqlite3_stmt* compiled = nullptr;
  while (compiled == nullptr && !script.empty()) {
    const char* tail = nullptr;
    if (sqlite3_prepare_v2(handle, script.data(), static_cast<int>(script.size()), &compiled,
                           &tail) != SQLITE_OK) {
      return error_of(handle);
    }
    if (tail == script.data()) {  // For SQLite the text ends here, so that it would stay here.
      return Error{Fault::rejected, Cause::other, "there is a NUL byte, at which SQL ends",
                   "SQL is text: take out the byte and all that is not text"};
    }
    script.remove_prefix(static_cast<std::size_t>(tail - script.data()));
  }
  if (compiled == nullptr) {
    return std::optional<StatementResult>{};
  }
  const Statement statement(compiled, sqlite3_finalize);
  StatementResult result{columns_of(compiled), {}};
  const auto columns = std::make_shared<const std::vector<std::string>>(result.columns);
  int code = sqlite3_step(compiled);
  for (; code == SQLITE_ROW; code = sqlite3_step(compiled)) {
    std::vector<Value> cells;
    for (int i = 0; i < sqlite3_column_count(compiled); ++i) {
      cells.push_back(cell(compiled, i));
    }
    result.rows.emplace_back(columns, std::move(cells));
  }
  if (code != SQLITE_DONE) {
    return error_of(handle);
  }
  return std::optional<StatementResult>{std::move(result)};
}

Result<std::vector<std::string>> columns_of(const Database& database, const std::string& query) {
  sqlite3_stmt* compiled = nullptr;
  if (sqlite3_prepare_v2(database.handle(), query.c_str(), -1, &compiled, nullptr) != SQLITE_OK) {
    return error_of(database.handle());
  }
  const Statement statement(compiled, sqlite3_finalize);
  return columns_of(statement.get());
}

bool is_in_transaction(const Database& database) {
  return sqlite3_get_autocommit(database.handle()) == 0;
}

std::int64_t rows_changed(const Database& database) {
  return sqlite3_total_changes64(database.handle());
}

std::string_view sqlite_version() { return sqlite3_libversion(); }

EditGuard::EditGuard(Database& database) : database_(database) {
  sqlite3_set_authorizer(database_.handle(), judge, this);
}

EditGuard::~EditGuard() { sqlite3_set_authorizer(database_.handle(), nullptr, nullptr); }

int EditGuard::judge(void* guard, int action, const char* first, const char*, const char*,
                     const char*) {
  std::string& refused = static_cast<EditGuard*>(guard)->refused_;
  if (action == SQLITE_TRANSACTION) {
    refused = first;
  } else if (action == SQLITE_ATTACH) {
    refused = "ATTACH";
  } else if (action == SQLITE_DETACH) {
    refused = "DETACH";
  } else {
    return SQLITE_OK;
  }
  return SQLITE_DENY;
}

Result<bool> edit_is_pending(const Home& home, const Schema& schema) {
  Database desired = TRY(Database::open(home.desired_path(), Database::Mode::read_only));
  TRY(desired.run("ATTACH :state AS state; BEGIN", {{"state", read_only_uri(home.state_path())}}));
  for (const TableText& table : schema.desired_tables()) {
    auto differs = table_differs(desired, table.name);
    if (!differs.ok() || differs.value()) {
      return differs;
    }
  }
  return false;
}

}  // namespace rowlock
