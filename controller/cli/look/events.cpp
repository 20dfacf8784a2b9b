// `rowlock events [-f]`: what happened, the newest last.
#include "controller/base/time.h"
#include "controller/cli/opened.h"
#include "controller/cli/terminal/interrupts.h"

#include <fmt/format.h>

namespace rowlock {
namespace {

constexpr std::int64_t kLookEveryMs = 100;

const std::vector<std::string>& event_columns() {
  static const std::vector<std::string> columns = {"id",     "at_ms", "kind",  "name",
                                                   "target", "what",  "detail"};
  return columns;
}

// One event as a line: JSON, tab-separated, or for a person.
std::string line_of(const Terminal& terminal, const Row& row) {
  switch (terminal.form()) {
    case Terminal::Form::json: return json_text(row) + "\n";
    case Terminal::Form::tsv: return tsv_text({{}, {row}});
    case Terminal::Form::table:
      return fmt::format("{}  {} {}{} {}: {}\n", rfc3339(row.integer("at_ms")), row.text("kind"),
                         row.text("name"),
                         row.text("target") == row.text("name") ? "" : " " + row.text("target"),
                         row.text("what"), printable(row.text("detail")));
  }
  UNREACHABLE();
}

// Everything after `last`, which is moved on.
Result<> show_since(const Call& call, Database& state, std::int64_t& last) {
  const auto found = TRY(table_of(state, event_columns(), "FROM event WHERE id > :last ORDER BY id",
                                  {{"last", last}}));
  for (const Row& row : found.rows) {
    call.terminal.print(line_of(call.terminal, row));
    last = row.integer("id");
  }
  return Done{};
}

// Until Ctrl-C. The version tells of a commit, at the price of a few microseconds.
Result<int> follow(const Call& call, Database& state, std::int64_t last) {
  const Interrupts interrupts;
  std::int64_t seen = -1;
  do {
    const auto version = TRY(state.data_version());
    if (version == seen) {
      continue;
    }
    seen = version;
    TRY(show_since(call, state, last));
  } while (!interrupts.sleep(kLookEveryMs));
  return kExitInterrupted;
}

}  // namespace

Result<int> events(const Call& call, const EventsOptions& options) {
  Database state = TRY(opened_state(call));
  const auto found = TRY(table_of(
      state, event_columns(), "FROM (SELECT * FROM event ORDER BY id DESC LIMIT :most) ORDER BY id",
      {{"most", options.limit}}));
  const Table& table = found;
  if (!options.follows) {
    call.terminal.show(table);
    return kExitOk;
  }
  if (call.terminal.form() == Terminal::Form::tsv) {
    call.terminal.print(tsv_text({table.columns, {}}));
  }
  const auto last = TRY(state.scalar("SELECT COALESCE(max(id), 0) FROM event"));
  for (const Row& row : table.rows) {
    call.terminal.print(line_of(call.terminal, row));
  }
  // An event that came between the two readings is told by the first look.
  const std::int64_t from =
      table.rows.empty() ? std::get<std::int64_t>(last) : table.rows.back().integer("id");
  return follow(call, state, from);
}

}  // namespace rowlock
