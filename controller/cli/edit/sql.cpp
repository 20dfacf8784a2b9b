// `rowlock sql`: a shell on desired.db in which every view of Rowlock answers for the rows as they
// are edited, committed or not.
#include "controller/cli/all_verbs.h"
#include "controller/store/shell.h"

#include <fmt/format.h>

#include <iostream>
#include <unistd.h>

namespace rowlock {
namespace {

struct Options {
  std::vector<std::string> statements;  // None: read from stdin.
};

constexpr std::string_view kHelp =
    ".tables         tables you write, tables Rowlock writes, views\n"
    ".schema [NAME]  how a table or view is made, with its comments\n"
    ".help           this\n"
    ".quit           leave; an open transaction is rolled back\n\n"
    "BEGIN; UPDATE job SET image = 'api:2' WHERE name = 'api'; SELECT * FROM plan; ROLLBACK;\n"
    "shows what the edit would do.\n";

class Shell {
 public:
  explicit Shell(const Call& call)
      : call_(call),
        terminal_(call.terminal),
        database_(call.desired()),
        is_prompting_(terminal_.reads_person() && isatty(STDERR_FILENO) == 1) {}

  // Each returns whether to go on.
  bool take_line(const std::string& line);
  bool run_all(std::string_view script);
  void read_lines();
  int finish();

 private:
  bool run_command(const std::string& line);
  bool show_tables();
  bool show_schema(const std::string& name);
  void show(const StatementResult& result, std::int64_t changed);
  void prompt() const;

  const Call& call_;
  const Terminal& terminal_;
  Database& database_;
  bool is_prompting_;
  bool has_failed_ = false;
  std::string pending_;  // The beginning of a statement that is not whole yet.
  std::size_t shown_ = 0;
};

void Shell::show(const StatementResult& result, std::int64_t changed) {
  if (result.columns.empty()) {
    if (is_prompting_ && changed > 0) {
      terminal_.note(fmt::format("{} changed{}", counted(changed, "row"),
                                 is_in_transaction(database_) ? ", not committed yet" : ""));
    }
    return;
  }
  if (terminal_.is_json()) {
    terminal_.print((shown_++ == 0 ? "[" : ",\n") + json_text(Table{result.columns, result.rows}));
    return;
  }
  TableLook look = terminal_.look();
  look.now_ms.reset();  // What is selected is what is shown.
  const Table table{result.columns, result.rows};
  terminal_.print(terminal_.is_table() ? table_text(table, look) : tsv_text(table));
}

bool Shell::run_all(std::string_view script) {
  while (true) {
    const std::int64_t before = rows_changed(database_);
    auto result = run_next(database_, script);
    if (!result.ok()) {
      terminal_.fail(result.error(), kExitFailed);
      has_failed_ = true;
      return is_prompting_;
    }
    if (!result.value()) {
      return true;
    }
    show(*result.value(), rows_changed(database_) - before);
  }
}

bool Shell::take_line(const std::string& line) {
  if (pending_.empty() && line.starts_with('.')) {
    return run_command(line);
  }
  pending_ += line + "\n";
  if (pending_.find_first_not_of(" \t\r\n") == std::string::npos) {
    pending_.clear();
    return true;
  }
  if (!is_whole_statement(pending_)) {
    return true;
  }
  const std::string script = std::exchange(pending_, "");
  return run_all(script);
}

bool Shell::run_command(const std::string& line) {
  const std::size_t space = line.find(' ');
  const std::string command = line.substr(0, space);
  const std::string argument =
      space == std::string::npos ? "" : line.substr(line.find_last_of(' ') + 1);
  if (command == ".quit" || command == ".exit") {
    return false;
  }
  if (command == ".tables") {
    return show_tables();
  }
  if (command == ".schema") {
    return show_schema(argument);
  }
  if (command == ".help") {
    terminal_.note(kHelp.substr(0, kHelp.size() - 1));
    return true;
  }
  terminal_.fail({Fault::rejected, Cause::other, fmt::format("there is no command {}", command),
                  ".help lists those there are"},
                 kExitFailed);
  has_failed_ = true;
  return is_prompting_;
}

bool Shell::show_tables() {
  auto rows = database_.query(call_.script("cli.sql_tables"));
  if (!rows.ok()) {
    terminal_.fail(rows.error());
    has_failed_ = true;
  } else if (!rows.value().empty()) {
    show({rows.value().front().columns(), rows.value()}, 0);
  }
  return true;
}

bool Shell::show_schema(const std::string& name) {
  auto rows = database_.query(call_.script("cli.sql_schema"), {{"name", name}});
  if (!rows.ok() || rows.value().empty()) {
    terminal_.fail(rows.ok() ? Error{Fault::rejected, Cause::not_found,
                                     fmt::format("there is no table or view {}", name),
                                     ".tables lists those there are"}
                             : rows.error(),
                   kExitFailed);
    has_failed_ = true;
    return is_prompting_;
  }
  if (terminal_.is_json()) {
    show({rows.value().front().columns(), rows.value()}, 0);
    return true;
  }
  for (const Row& row : rows.value()) {
    terminal_.print(row.text("sql") + ";\n");
  }
  return true;
}

void Shell::prompt() const {
  if (is_prompting_) {
    fmt::print(stderr, "{}",
               !pending_.empty()              ? "    ...> "
               : is_in_transaction(database_) ? "rowlock*> "
                                              : "rowlock> ");
  }
}

void Shell::read_lines() {
  if (is_prompting_) {
    terminal_.note("SQL on desired.db; SELECT * FROM plan shows what an edit does; .help, .quit");
  }
  std::string line;
  prompt();
  while (std::getline(std::cin, line) && take_line(line)) {
    prompt();
  }
  if (std::cin.eof() && !pending_.empty() && !has_failed_) {
    run_all(std::exchange(pending_, ""));
  }
}

int Shell::finish() {
  if (is_in_transaction(database_)) {
    terminal_.note("the open transaction was rolled back: nothing of it was kept");
  }
  if (terminal_.is_json()) {
    terminal_.print(shown_ == 0 ? "[]\n" : "]\n");
  }
  return has_failed_ && !is_prompting_ ? kExitFailed : kExitOk;
}

Result<int> sql(const Call& call, const Options& said) {
  auto refused = call.desired().scalar(call.script("cli.sql_refused"));
  if (refused.ok() && text_of(refused.value()) != "0") {
    call.terminal.note("desired.db was refused: SELECT message FROM state.refusal says why");
  }
  Shell shell(call);
  if (said.statements.empty()) {
    shell.read_lines();
    return shell.finish();
  }
  for (const std::string& statement : said.statements) {
    if (statement.starts_with('.') ? !shell.take_line(statement) : !shell.run_all(statement)) {
      break;
    }
  }
  return shell.finish();
}

}  // namespace

void add_sql(Verbs& verbs) {
  const auto [verb, said] =
      verbs.add("sql", "SQL on desired.db; the views answer for uncommitted edits too",
                "rowlock sql \"BEGIN; UPDATE job SET count = 3; SELECT * FROM plan; ROLLBACK\"",
                Needs::edit, sql);
  verb.option("STATEMENT", said.statements, "read from stdin when left out");
}

}  // namespace rowlock
