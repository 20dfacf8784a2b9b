// `rowlock status`: how everything stands, and one line that sums it up. The rows are those of
// KIND_status (schema/), the columns those of cli.status (schema/kernel/cli.sql).
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"
#include "controller/store/shell.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {
namespace {

struct Options {
  bool wants_exit_code = false;
};

// All that the verdict rests on.
struct Standing {
  Table rows;
  ControllerSight controller;
  std::int64_t revision = 0;
  bool is_pending = false;
  std::string unreadable;  // Why desired.db cannot be read; empty when it can.

  std::size_t differing() const {
    return static_cast<std::size_t>(
        std::count_if(rows.rows.begin(), rows.rows.end(),
                      [](const Row& row) { return row.text("state") != "converged"; }));
  }
  bool is_converged() const {
    return differing() == 0 && !is_pending && unreadable.empty() && !controller.is_old();
  }
};

Result<Standing> standing_of(const Call& call) {
  auto rows = table_of(call.state(), call.script("cli.status"));
  auto controller = sight_of_controller(call, call.state());
  auto revision = revision_in_force(call, call.state());
  if (!rows.ok() || !controller.ok() || !revision.ok()) {
    return !rows.ok() ? rows.error() : !controller.ok() ? controller.error() : revision.error();
  }
  Standing standing{rows.value(), controller.value(), revision.value(), false, ""};
  auto pending = edit_is_pending(call.home, call.schema);
  standing.is_pending = pending.ok() && pending.value();
  standing.unreadable = pending.ok() ? "" : pending.error().message;
  return standing;
}

std::string verdict_of(const Standing& standing, std::int64_t now_ms) {
  const std::size_t total = standing.rows.rows.size();
  std::string verdict = total == 0
                            ? fmt::format("nothing is desired yet, revision {}", standing.revision)
                        : standing.differing() == 0
                            ? fmt::format("all {} match revision {}", total, standing.revision)
                            : fmt::format("{} of {} differ from revision {}", standing.differing(),
                                          total, standing.revision);
  if (!standing.unreadable.empty()) {
    verdict += "; desired.db cannot be read: " + standing.unreadable;
  } else if (standing.is_pending) {
    verdict += "; desired.db holds an edit that is not in force";
  }
  const std::string warning = standing.controller.warning(now_ms);
  return warning.empty()
             ? verdict + fmt::format("; observed {} ago",
                                     human_duration(now_ms - standing.controller.seen_at_ms))
             : verdict + "\n" + warning;
}

std::string document_of(const Standing& standing) {
  const char* const words[] = {"runs", "hangs", "absent"};
  return fmt::format(
      "{{\"converged\":{},\"revision\":{},\"edit_is_pending\":{},\"controller\":\"{}\","
      "\"observed_at_ms\":{},\"is_old\":{},\"resources\":{}}}\n",
      standing.is_converged(), standing.revision, standing.is_pending,
      words[static_cast<int>(standing.controller.presence)], standing.controller.seen_at_ms,
      standing.controller.is_old(), json_text(standing.rows));
}

Result<int> status(const Call& call, const Options& said) {
  const auto standing = TRY(standing_of(call));
  if (call.terminal.is_json()) {
    call.terminal.print(document_of(standing));
  } else {
    call.terminal.show(standing.rows, standing.controller.is_old());
    call.terminal.note(verdict_of(standing, system_now_ms()));
    // In full: a table may cut off the very words to type.
    auto refused = call.state().query(call.script("cli.status_refused"));
    for (const Row& row : refused.ok() ? refused.value() : std::vector<Row>{}) {
      call.terminal.note("refused: " + row.text("message"));
    }
  }
  return said.wants_exit_code && !standing.is_converged() ? kExitDifferences : kExitOk;
}

}  // namespace

void add_status(Verbs& verbs) {
  const auto [verb, said] =
      verbs.add("status", "How everything stands", "rowlock status --json", Needs::state, status);
  verb.flag("--exit-code", said.wants_exit_code, "2 when not all is converged");
}

}  // namespace rowlock
