// `rowlock why NAME`: every reason that is now in the way of something, with the rows behind it.
#include "controller/base/text.h"
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {
namespace {

constexpr int kAttemptsMax = 5;

struct Options {
  std::string name;
};

// Each a query about one name; in the order in which they are shown.
struct Story {
  Table status;
  Table reasons;
  Table instances;
  Table checks;
  Table attempts;  // The last ones that failed.
  Table failed;    // The last instance that failed, with its log; at most one row.
};

Result<Story> story_of(const Call& call, const std::string& name) {
  const Values values = {{"name", name}, {"most", std::int64_t{kAttemptsMax}}};
  struct Part {
    Table Story::*place;
    const char* script;
  };
  constexpr Part kParts[] = {
      {&Story::status, "cli.why_status"},       {&Story::reasons, "cli.why_reasons"},
      {&Story::instances, "cli.why_instances"}, {&Story::checks, "cli.why_checks"},
      {&Story::attempts, "cli.why_attempts"},   {&Story::failed, "cli.why_failed"},
  };
  Story story;
  for (const Part& part : kParts) {
    story.*part.place = TRY(table_of(call.state(), call.script(part.script), values));
  }
  return story;
}

Result<std::vector<std::string>> known_names(const Call& call) {
  const auto rows = TRY(call.state().query(call.script("cli.why_names")));
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
  const std::string whole = row.text("reason");
  const std::string reason = whole.substr(0, whole.find("; its last lines:"));  // Shown below.
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

Result<int> why(const Call& call, const Options& said) {
  const auto known = TRY(known_names(call));
  if (std::find(known.begin(), known.end(), said.name) == known.end()) {
    return unknown_name(said.name, known);
  }
  auto story = story_of(call, said.name);
  auto controller = sight_of_controller(call, call.state());
  if (!story.ok() || !controller.ok()) {
    return !story.ok() ? story.error() : controller.error();
  }
  const bool is_old = controller.value().is_old();
  switch (call.terminal.form()) {
    case Terminal::Form::table: tell(call, story.value(), is_old); break;
    case Terminal::Form::tsv: call.terminal.show(story.value().reasons); break;
    case Terminal::Form::json:
      call.terminal.print(document_of(said.name, story.value(), is_old));
      break;
  }
  if (is_old) {
    call.terminal.note(controller.value().warning(system_now_ms()));
  }
  return kExitOk;
}

}  // namespace

void add_why(Verbs& verbs) {
  const auto [verb, said] = verbs.add("why", "Every reason that is in the way of something",
                                      "rowlock why web", Needs::state, why);
  verb.option("NAME", said.name, "a job, a node or desired.db").required();
}

}  // namespace rowlock
