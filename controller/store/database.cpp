// Statements are compiled once and kept by their text. A script is several of them, compiled one
// after the other, since a later one may need a table that an earlier one makes.
#include "controller/store/database.h"

#include "controller/base/disk_room.h"
#include "controller/store/reading_guard.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <sys/stat.h>
#include <unordered_map>

namespace rowlock {

namespace {

constexpr std::size_t kCacheMax =
    400;  // Compiled scripts kept; more would mean that text is made up at run time.

// A script is one or more statements, compiled.
using Script = std::vector<sqlite3_stmt*>;

Error error_of(sqlite3* handle, int code, const std::string& path) {
  const char* said = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  Error error{Fault::broken, Cause::other, fmt::format("{}: {}", path, said), ""};
  const int kind = code & 0xff;
  const bool may_be_full = kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN || kind == SQLITE_FULL;
  if (may_be_full && (kind == SQLITE_FULL || has_no_room(path))) {
    error.message += kind == SQLITE_FULL ? "" : " (the disk is full)";
    error.fault = Fault::transient;
    error.hint = "the disk is full: make room, Rowlock goes on by itself";
    return error;
  }
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      error.fault = Fault::transient;
      error.hint = "another program is writing to it: end its transaction, or try again";
      break;
    case SQLITE_IOERR:
      error.fault = Fault::transient;
      error.hint = "the disk does not answer well: see the kernel's log";
      break;
    case SQLITE_READONLY:
      error.hint =
          "the file or its folder cannot be written to: look at its owner, its mode and whether "
          "the disk is mounted "
          "read-only";
      break;
    case SQLITE_CANTOPEN:
      error.cause = Cause::not_found;
      error.hint = "is the path right, and may this user read it? `rowlock init` makes a new home";
      break;
    case SQLITE_NOTADB: error.hint = "it is not a SQLite database: put back a copy"; break;
    case SQLITE_CORRUPT:
      error.hint =
          "the file is damaged: put back a copy, or save what can be read with `sqlite3 FILE "
          ".recover`";
      break;
    default: break;
  }
  return error;
}

void bind(sqlite3_stmt* statement, const Values& values) {
  for (const auto& [name, value] : values) {
    const int index = sqlite3_bind_parameter_index(statement, (":" + name).c_str());
    if (index == 0) {
      continue;
    }
    int code = SQLITE_OK;
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      code = sqlite3_bind_int64(statement, index, *integer);
    } else if (const auto* number = std::get_if<double>(&value)) {
      code = sqlite3_bind_double(statement, index, *number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      code = sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8);
    }
    CHECK(code == SQLITE_OK);
  }
}

// Of the whole process. Counting every allocation takes a lock each time, and nobody reads the
// count. Pages are taken one by one: of those that SQLite otherwise takes at once for every table
// of a window or of a sort, a plan of one name uses a few and gives all back a moment later.
bool configure_memory() {
  return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK &&
         sqlite3_config(SQLITE_CONFIG_PAGECACHE, nullptr, 0, 0) == SQLITE_OK;
}

Value cell(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return std::int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT: return sqlite3_column_double(statement, column);
    case SQLITE_NULL: return std::monostate{};
    default: {
      const void* bytes = sqlite3_column_blob(statement, column);
      const int size = sqlite3_column_bytes(statement, column);
      return std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
  }
}

// 0: there is no such file.
ino_t inode_of(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

}  // namespace

const Value& Row::at(std::string_view column) const {
  static const Value null;
  for (std::size_t i = 0; i < columns_->size(); ++i) {
    if ((*columns_)[i] == column) {
      return cells_[i];
    }
  }
  return null;
}

bool Row::is_null(std::string_view column) const {
  return std::holds_alternative<std::monostate>(at(column));
}

std::string Row::text(std::string_view column) const { return text_of(at(column)); }

std::int64_t Row::integer(std::string_view column) const {
  const Value& value = at(column);
  if (const auto* number = std::get_if<double>(&value)) {
    return static_cast<std::int64_t>(*number);
  }
  const auto* integer = std::get_if<std::int64_t>(&value);
  return integer != nullptr ? *integer : 0;
}

double Row::number(std::string_view column) const {
  const Value& value = at(column);
  const auto* number = std::get_if<double>(&value);
  return number != nullptr ? *number : static_cast<double>(integer(column));
}

std::string text_of(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return *text;
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return fmt::format("{}", *integer);
  }
  if (const auto* number = std::get_if<double>(&value)) {
    return fmt::format("{}", *number);
  }
  return "";
}

struct Database::Connection {
  sqlite3* handle = nullptr;
  std::string path;
  std::unordered_map<std::string, Script> scripts;
  ino_t log_inode = 0;  // Of the -wal, once is_moved() has seen it.

  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    forget_scripts();
    sqlite3_close_v2(handle);
  }

  void forget_scripts() {
    for (auto& [text, script] : scripts) {
      for (sqlite3_stmt* statement : script) {
        sqlite3_finalize(statement);
      }
    }
    scripts.clear();
  }

  Error error(int code) const { return error_of(handle, code, path); }

  // Steps through one statement, giving each row to `row`. The statement is ready for the next time
  // afterwards.
  Result<> step(sqlite3_stmt* statement, const Values& values,
                const std::function<bool(sqlite3_stmt*)>& row) {
    bind(statement, values);
    int code = SQLITE_ROW;
    while (code == SQLITE_ROW) {
      code = sqlite3_step(statement);
      if (code == SQLITE_ROW && row && !row(statement)) {
        break;
      }
    }
    Result<> result = Done{};
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
      result = error(code);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
  }

  // The next statement of `text`, which is moved past it; null when only blanks and comments are
  // left.
  Result<sqlite3_stmt*> compile(std::string_view& text) {
    sqlite3_stmt* statement = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v3(handle, text.data(), static_cast<int>(text.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, &tail);
    if (code != SQLITE_OK) {
      return error(code);
    }
    text.remove_prefix(static_cast<std::size_t>(tail - text.data()));
    return statement;
  }

  // Statements are compiled when their turn comes: a later one may need what an earlier one makes.
  Result<> run(std::string_view text, const Values& values) {
    const auto known = scripts.find(std::string(text));
    if (known != scripts.end()) {
      for (sqlite3_stmt* statement : known->second) {
        TRY(step(statement, values, nullptr));
      }
      return Done{};
    }
    return compile_and_run(text, values);
  }

  Result<> compile_and_run(std::string_view text, const Values& values) {
    const std::string key(text);
    Script script;
    Result<> result = Done{};
    while (result.ok()) {
      auto statement = compile(text);
      if (!statement.ok()) {
        result = statement.error();
      } else if (statement.value() != nullptr) {
        script.push_back(statement.value());
        result = step(statement.value(), values, nullptr);
      } else if (text.empty()) {
        break;
      }
    }
    if (result.ok() && scripts.size() < kCacheMax) {
      scripts.emplace(key, std::move(script));
    } else {
      for (sqlite3_stmt* statement : script) {
        sqlite3_finalize(statement);
      }
    }
    return result;
  }

  Result<std::vector<Row>> rows(sqlite3_stmt* statement, const Values& values, int rows_max) {
    auto columns = std::make_shared<std::vector<std::string>>();
    int count = 0;
    std::vector<Row> found;
    bool more = false;
    TRY(step(statement, values, [&](sqlite3_stmt* at) {
      if (rows_max >= 0 && static_cast<int>(found.size()) == rows_max) {
        more = true;
        return false;
      }
      if (found.empty()) {  // Not before the first step: it compiles the statement anew when the
                            // tables have changed.
        count = sqlite3_column_count(at);
        for (int i = 0; i < count; ++i) {
          columns->emplace_back(sqlite3_column_name(at, i));
        }
      }
      std::vector<Value> cells;
      cells.reserve(static_cast<std::size_t>(count));
      for (int i = 0; i < count; ++i) {
        cells.push_back(cell(at, i));
      }
      found.emplace_back(columns, std::move(cells));
      return true;
    }));
    if (more) {
      return Error{Fault::rejected, Cause::other,
                   fmt::format("returns more than {} rows", rows_max), "narrow the query"};
    }
    return found;
  }
};

Database::Database(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<Database> Database::open(const std::string& path, Mode mode, int busy_timeout_ms) {
  static const bool is_configured = configure_memory();
  CHECK(is_configured);
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_URI;
  switch (mode) {
    case Mode::read_only: flags |= SQLITE_OPEN_READONLY; break;
    case Mode::read_write: flags |= SQLITE_OPEN_READWRITE; break;
    case Mode::create: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE; break;
  }
  auto connection = std::make_unique<Connection>();
  connection->path = path;
  int code = sqlite3_open_v2(path.c_str(), &connection->handle, flags, nullptr);
  if (code != SQLITE_OK) {
    return error_of(connection->handle, code, path);
  }
  sqlite3_busy_timeout(connection->handle, busy_timeout_ms);
  Database database(std::move(connection));
  // The first read tells whether the file is a database at all.
  TRY(database.query("SELECT count(*) FROM sqlite_schema"));
  return database;
}

void Database::forget_compiled() { connection_->forget_scripts(); }

Result<> Database::run(std::string_view script, const Values& values) {
  return connection_->run(script, values);
}

// Not by run(): a PRAGMA takes effect when it is compiled, and a kept one never again.
Result<> Database::run_unsynced(std::string_view statement, const Values& values) {
  const auto set = [this](const char* pragma) {
    return sqlite3_exec(connection_->handle, pragma, nullptr, nullptr, nullptr);
  };
  if (const int code = set("PRAGMA synchronous=NORMAL"); code != SQLITE_OK) {
    return connection_->error(code);
  }
  auto result = connection_->run(statement, values);
  const int code = set("PRAGMA synchronous=FULL");
  CHECK(code == SQLITE_OK);  // Without it every later commit could be lost.
  return result;
}

Result<std::vector<Row>> Database::query(std::string_view query, const Values& values) {
  auto& scripts = connection_->scripts;
  auto known = scripts.find(std::string(query));
  if (known == scripts.end()) {
    std::string_view text = query;
    const auto statement = TRY(connection_->compile(text));
    CHECK(statement != nullptr);
    if (scripts.size() >= kCacheMax) {
      connection_->forget_scripts();
    }
    known = scripts.emplace(std::string(query), Script{statement}).first;
  }
  CHECK(known->second.size() == 1);
  return connection_->rows(known->second.front(), values, -1);
}

Result<Value> Database::scalar(std::string_view text, const Values& values) {
  const auto rows = TRY(query(text, values));
  return rows.empty() ? Value{} : rows.front().cells().front();
}

Result<std::vector<Row>> Database::guarded_query(const std::string& query, int rows_max,
                                                 int time_max_ms) {
  const ReadingGuard guard(connection_->handle, time_max_ms);
  std::string_view text = query;
  Result<std::vector<Row>> result = std::vector<Row>{};
  auto statement = connection_->compile(text);
  if (!statement.ok()) {
    result = Error{Fault::rejected, Cause::other, sqlite3_errmsg(connection_->handle), ""};
  } else if (statement.value() == nullptr ||
             text.find_first_not_of("; \t\r\n") != std::string_view::npos) {
    result = Error{Fault::rejected, Cause::other, "is not one statement", "write one SELECT"};
  } else if (sqlite3_stmt_readonly(statement.value()) == 0) {
    result = Error{Fault::rejected, Cause::other, "does more than to read", "write one SELECT"};
  } else {
    result = connection_->rows(statement.value(), {}, rows_max);
    const int code = result.ok() ? SQLITE_OK : sqlite3_errcode(connection_->handle);
    if (code == SQLITE_INTERRUPT) {
      result = Error{Fault::rejected, Cause::deadline,
                     fmt::format("takes more than {} ms", time_max_ms), "narrow the query"};
    } else if (code == SQLITE_TOOBIG) {
      result = Error{Fault::rejected, Cause::other, "meets a text or blob of more than a megabyte",
                     "narrow the query"};
    } else if (code == SQLITE_ERROR) {
      result = Error{Fault::rejected, Cause::other, sqlite3_errmsg(connection_->handle), ""};
    }
  }
  if (statement.ok()) {
    sqlite3_finalize(statement.value());
  }
  return result;
}

Result<std::int64_t> Database::data_version() {
  const auto value = TRY(scalar("PRAGMA data_version"));
  return std::get<std::int64_t>(value);
}

bool Database::is_moved() {
  int moved = 0;
  sqlite3_file_control(connection_->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  const ino_t log = inode_of(connection_->path + "-wal");
  if (connection_->log_inode == 0) connection_->log_inode = log;  // It is made by the first read.
  return moved != 0 || log != connection_->log_inode;
}

std::string Database::path() const { return connection_->path; }

sqlite3* Database::handle() const { return connection_->handle; }

Result<Transaction> Transaction::begin(Database& database) {
  TRY(database.run("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) {
    (void)database_->run("ROLLBACK")
        .ok();  // Nothing to be done about a failure: SQLite has rolled back already.
  }
}

Result<> Transaction::commit() {
  if (auto committed = database_->run("COMMIT"); !committed.ok()) {
    return committed.error();  // The destructor rolls back.
  }
  database_ = nullptr;
  return Done{};
}

}  // namespace rowlock
