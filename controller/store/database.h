// SQLite, as little of it as Rowlock needs: open a file, run statements with named values, read
// rows. The only folder that includes sqlite3.h. A Database belongs to one thread.
#pragma once

#include "controller/base/result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

struct sqlite3;

namespace rowlock {

using Value = std::variant<std::monostate, std::int64_t, double, std::string>;  // monostate is NULL

// Named values: what is bound to :name in a statement, or the columns of a row.
using Values = std::vector<std::pair<std::string, Value>>;

// One row of a result. A column that is not there, or of another type, reads as NULL, 0 or "".
class Row {
 public:
  Row(std::shared_ptr<const std::vector<std::string>> columns, std::vector<Value> cells)
      : columns_(std::move(columns)), cells_(std::move(cells)) {}

  const std::vector<std::string>& columns() const { return *columns_; }
  const std::vector<Value>& cells() const { return cells_; }

  const Value& at(std::string_view column) const;
  bool is_null(std::string_view column) const;
  std::string text(std::string_view column) const;
  std::int64_t integer(std::string_view column) const;
  double number(std::string_view column) const;

 private:
  std::shared_ptr<const std::vector<std::string>> columns_;
  std::vector<Value> cells_;
};

// The value as text: NULL is "", a number is written in full.
std::string text_of(const Value& value);

class Database {
 public:
  enum class Mode {
    read_only,   // The file must be there. Never writes, never checkpoints.
    read_write,  // The file must be there.
    create,      // Made when it is not there.
  };

  // Errors say what is wrong with the file and what to do: not a database, truncated, no
  // permission, no such file. Waits up to `busy_timeout_ms` for another program that holds the
  // file, then and later.
  static Result<Database> open(const std::string& path, Mode mode, int busy_timeout_ms = 5000);

  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  // Runs the statements of `script` one after another, each with those of the values that it names.
  // Values without a place in a statement are left out; a place without a value is NULL. Stops at
  // the first error.
  Result<> run(std::string_view script, const Values& values = {});

  // What was run once and will not be run again, such as what makes the tables, keeps no memory.
  void forget_compiled();

  // Runs one statement, and does not have it synced: a power cut may take it back, and nothing
  // else. For what is written often and is of no use later. Requires: the file is in WAL mode with
  // synchronous=FULL, and no transaction is open.
  Result<> run_unsynced(std::string_view statement, const Values& values);

  // The rows of the one statement in `query`. Compiled once, kept for the next time.
  Result<std::vector<Row>> query(std::string_view query, const Values& values = {});

  // The first column of the first row, or NULL.
  Result<Value> scalar(std::string_view query, const Values& values = {});

  // Reading under guard, for queries that somebody else wrote: nothing but SELECT on functions that
  // work on values, at most `rows_max` rows (more is an error), for at most `time_max_ms` and a
  // little, since no text or blob in it may be longer than a megabyte.
  Result<std::vector<Row>> guarded_query(const std::string& query, int rows_max, int time_max_ms);

  // What PRAGMA data_version says: another number whenever another connection has committed. About
  // 2 µs.
  Result<std::int64_t> data_version();

  // Whether path() no longer leads to the file that is open, or its -wal is another one: what is
  // written now would be lost. Two stat() calls.
  bool is_moved();

  // The statement at the head of `script`, and what follows it; for shells. Empty when there is
  // none left.
  std::string path() const;
  sqlite3* handle() const;

 private:
  struct Connection;
  explicit Database(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

// Everything between begin() and commit() happens or does not; a transaction that is dropped is
// rolled back.
class Transaction {
 public:
  // Takes the write lock at once.
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  Result<> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace rowlock
