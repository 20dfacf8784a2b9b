// `rowlock events [-f]`: what happened, the newest last.
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"
#include "controller/cli/terminal/interrupts.h"

#include <fmt/format.h>

namespace rowlock {
namespace {

constexpr std::int64_t kLookEveryMs = 100;

struct Options {
  bool follows = false;
  std::int64_t limit = 50;
};

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
Result<> show_since(const Call& call, std::int64_t& last) {
  const auto found = TRY(call.state().query(call.script("cli.events_since"), {{"last", last}}));
  for (const Row& row : found) {
    call.terminal.print(line_of(call.terminal, row));
    last = row.integer("id");
  }
  return Done{};
}

// Until Ctrl-C. The version tells of a commit, at the price of a few microseconds.
Result<int> follow(const Call& call, std::int64_t last) {
  const Interrupts interrupts;
  std::int64_t seen = -1;
  do {
    const auto version = TRY(call.state().data_version());
    if (version == seen) {
      continue;
    }
    seen = version;
    TRY(show_since(call, last));
  } while (!interrupts.sleep(kLookEveryMs));
  return kExitInterrupted;
}

Result<int> events(const Call& call, const Options& said) {
  const auto table =
      TRY(table_of(call.state(), call.script("cli.events_last"), {{"most", said.limit}}));
  if (!said.follows) {
    call.terminal.show(table);
    return kExitOk;
  }
  if (call.terminal.form() == Terminal::Form::tsv) {
    call.terminal.print(tsv_text({table.columns, {}}));
  }
  const auto last = TRY(call.state().scalar(call.script("cli.events_newest")));
  for (const Row& row : table.rows) {
    call.terminal.print(line_of(call.terminal, row));
  }
  // An event that came between the two readings is told by the first look.
  const std::int64_t from =
      table.rows.empty() ? std::get<std::int64_t>(last) : table.rows.back().integer("id");
  return follow(call, from);
}

}  // namespace

void add_events(Verbs& verbs) {
  const auto [verb, said] =
      verbs.add("events", "What happened, newest last", "rowlock events -f", Needs::state, events);
  verb.flag("-f,--follow", said.follows, "go on until Ctrl-C; with --json one object a line");
  verb.option("--limit", said.limit, "how many at first (default 50)").at_least(0);
}

}  // namespace rowlock
