// `rowlock why NAME`: every reason that is now in the way of something, with the rows behind it.
#include "controller/base/text.h"
#include "controller/base/time.h"
#include "controller/cli/opened.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {
namespace {

constexpr int kAttemptsMax = 5;

// Each a query about one name; in the order in which they are shown.
struct Story {
  Table status;
  Table reasons;
  Table instances;
  Table checks;
  Table attempts;  // The last ones that failed.
  Table failed;    // The last instance that failed, with its log; at most one row.
};

// A refused edit is in the way of everything that is waited for.
constexpr const char* kReasons =
    "FROM why WHERE name IN (:name, 'desired.db') ORDER BY name <> :name, since_ms, target, reason";
constexpr const char* kInstances = "FROM instance WHERE job = :name ORDER BY run DESC, id DESC";
constexpr const char* kChecks =
    "FROM instance AS i JOIN job_check AS c ON c.job = i.job"
    " LEFT JOIN check_state AS s ON s.instance = i.id AND s.name = c.name"
    " WHERE i.job = :name AND i.run = 1 ORDER BY i.id, c.name";
constexpr const char* kAttempts =
    "FROM attempt WHERE name = :name AND finished_at_ms IS NOT NULL AND outcome <> 'done'"
    " ORDER BY id DESC LIMIT :most";
constexpr const char* kFailed =
    "FROM instance WHERE job = :name AND verdict = 'failed' ORDER BY id DESC LIMIT 1";

Result<Story> story_of(Database& state, const std::string& name) {
  const Values values = {{"name", name}, {"most", std::int64_t{kAttemptsMax}}};
  struct Part {
    Table Story::*place;
    std::vector<std::string> columns;
    const char* rest;
  };
  const Part parts[] = {
      {&Story::status,
       {"kind", "name", "state", "detail", "since_ms"},
       "FROM status WHERE name = :name ORDER BY kind"},
      {&Story::reasons, {"kind", "name", "target", "reason", "since_ms"}, kReasons},
      {&Story::instances,
       {"id", "CASE run WHEN 1 THEN container ELSE COALESCE(verdict, container) END AS state",
        "node", "exit_code", "reason", "since_ms"},
       kInstances},
      {&Story::checks,
       {"i.id AS instance", "c.name AS \"check\"", "COALESCE(s.passes, 0) AS passed",
        "c.passes AS needed", "COALESCE(s.failures, 0) AS failed",
        "COALESCE(s.detail, '') AS detail", "COALESCE(s.since_ms, i.since_ms) AS since_ms"},
       kChecks},
      {&Story::attempts,
       {"kind", "target", "step", "outcome", "detail", "finished_at_ms"},
       kAttempts},
      {&Story::failed, {"name", "exit_code", "reason", "log", "ended_at_ms"}, kFailed},
  };
  Story story;
  for (const Part& part : parts) {
    auto found = TRY(table_of(state, part.columns, part.rest, values));
    story.*part.place = std::move(found);
    for (std::string& column : (story.*part.place).columns) {
      column = column.substr(column.rfind(' ') + 1);  // After AS.
    }
  }
  return story;
}

Result<std::vector<std::string>> known_names(Database& state) {
  const auto rows = TRY(
      state.query("SELECT name FROM status UNION SELECT name FROM job UNION SELECT name FROM node"
                  " UNION SELECT name FROM why UNION SELECT 'desired.db' ORDER BY name"));
  std::vector<std::string> names;
  for (const Row& row : rows) {
    names.push_back(row.text("name"));
  }
  return names;
}

Error unknown_name(const std::string& name, const std::vector<std::string>& names) {
  const auto near = nearest(name, names);
  return {Fault::rejected, Cause::not_found, fmt::format("nothing here is called '{}'", name),
          near ? fmt::format("did you mean `rowlock why {}`?", *near)
               : "see `rowlock status` for the names there are"};
}

std::string section(const Call& call, std::string_view title, const Table& table, bool is_old) {
  return table.rows.empty()
             ? ""
             : fmt::format("\n{}\n{}", title, table_text(table, call.terminal.look(is_old)));
}

std::string reason_text(const Row& row, std::int64_t now_ms) {
  std::string reason = row.text("reason");
  if (row.text("kind") == "instance") {
    reason = reason.substr(0, reason.find("; its last lines:"));  // They are shown by themselves.
  }
  return fmt::format("  • {} ({})\n", printable(reason),
                     human_duration(std::max<std::int64_t>(0, now_ms - row.integer("since_ms"))));
}

std::string log_text(const Row& failed, std::int64_t now_ms) {
  const std::string log = failed.text("log");
  if (log.empty()) {
    return "";
  }
  std::string text =
      fmt::format("\nlast lines of {}, which ended {} ago{}\n", failed.text("name"),
                  human_duration(now_ms - failed.integer("ended_at_ms")),
                  failed.is_null("exit_code") ? "" : " with exit code " + failed.text("exit_code"));
  std::size_t at = 0;
  while (at < log.size()) {
    const std::size_t end = std::min(log.find('\n', at), log.size());
    text += "  │ " + printable(std::string_view(log).substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return text;
}

void tell(const Call& call, const Story& story, bool is_old) {
  const std::int64_t now_ms = system_now_ms();
  const Terminal& terminal = call.terminal;
  for (const Row& row : story.status.rows) {
    terminal.print(fmt::format("{} {}: {}, {}\n", row.text("kind"), row.text("name"),
                               state_text(row.text("state"), terminal.is_coloured(), is_old),
                               printable(row.text("detail"))));
  }
  if (story.reasons.rows.empty()) {
    terminal.print("nothing is in the way\n");
  }
  for (const Row& row : story.reasons.rows) {
    terminal.print(reason_text(row, now_ms));
  }
  terminal.print(section(call, "instances", story.instances, is_old));
  terminal.print(section(call, "checks", story.checks, is_old));
  terminal.print(section(call, "attempts that failed", story.attempts, is_old));
  if (!story.failed.rows.empty() && !story.reasons.rows.empty()) {
    terminal.print(log_text(story.failed.rows.front(), now_ms));
  }
}

std::string document_of(const std::string& name, const Story& story, bool is_old) {
  return fmt::format(
      "{{\"name\":{},\"is_old\":{},\"status\":{},\"reasons\":{},\"instances\":{},\"checks\":{},"
      "\"attempts\":{},\"last_failed\":{}}}\n",
      json_text(Value(name)), is_old, json_text(story.status), json_text(story.reasons),
      json_text(story.instances), json_text(story.checks), json_text(story.attempts),
      json_text(story.failed));
}

}  // namespace

Result<int> why(const Call& call, const WhyOptions& options) {
  Database state = TRY(opened_state(call));
  const auto names = TRY(known_names(state));
  const auto& known = names;
  if (std::find(known.begin(), known.end(), options.name) == known.end()) {
    return unknown_name(options.name, known);
  }
  auto story = story_of(state, options.name);
  auto controller = sight_of_controller(call.home, state);
  if (!story.ok() || !controller.ok()) {
    return !story.ok() ? story.error() : controller.error();
  }
  const bool is_old = controller.value().is_old();
  switch (call.terminal.form()) {
    case Terminal::Form::table: tell(call, story.value(), is_old); break;
    case Terminal::Form::tsv: call.terminal.show(story.value().reasons); break;
    case Terminal::Form::json:
      call.terminal.print(document_of(options.name, story.value(), is_old));
      break;
  }
  if (is_old) {
    call.terminal.note(controller.value().warning(system_now_ms()));
  }
  return kExitOk;
}

}  // namespace rowlock
