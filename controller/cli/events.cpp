// `rowlock events [-f]`: what happened, the newest last.
#include "controller/base/time.h"
#include "controller/cli/interrupts.h"
#include "controller/cli/opened.h"

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
  auto found =
      table_of(state, event_columns(), "FROM event WHERE id > :last ORDER BY id", {{"last", last}});
  if (!found.ok()) {
    return found.error();
  }
  for (const Row& row : found.value().rows) {
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
    auto version = state.data_version();
    if (!version.ok()) {
      return version.error();
    }
    if (version.value() == seen) {
      continue;
    }
    seen = version.value();
    if (auto shown = show_since(call, state, last); !shown.ok()) {
      return shown.error();
    }
  } while (!interrupts.sleep(kLookEveryMs));
  return kExitInterrupted;
}

}  // namespace

Result<int> events(const Call& call, const EventsOptions& options) {
  auto opened = opened_state(call);
  if (!opened.ok()) {
    return opened.error();
  }
  Database state = std::move(opened).value();
  auto found = table_of(state, event_columns(),
                        "FROM (SELECT * FROM event ORDER BY id DESC LIMIT :most) ORDER BY id",
                        {{"most", options.limit}});
  if (!found.ok()) {
    return found.error();
  }
  const Table& table = found.value();
  if (!options.follows) {
    call.terminal.show(table);
    return kExitOk;
  }
  if (call.terminal.form() == Terminal::Form::tsv) {
    call.terminal.print(tsv_text({table.columns, {}}));
  }
  auto last = state.scalar("SELECT COALESCE(max(id), 0) FROM event");
  if (!last.ok()) {
    return last.error();
  }
  for (const Row& row : table.rows) {
    call.terminal.print(line_of(call.terminal, row));
  }
  // An event that came between the two readings is told by the first look.
  const std::int64_t from =
      table.rows.empty() ? std::get<std::int64_t>(last.value()) : table.rows.back().integer("id");
  return follow(call, state, from);
}

}  // namespace rowlock
