// `rowlock plan`: the difference between what is desired and what is, as the steps that come next.
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"

namespace rowlock {

namespace {

struct Options {
  bool wants_exit_code = false;
};

Result<int> plan(const Call& call, const Options& said) {
  auto rows = table_of(call.state(), call.script("cli.plan"));
  auto changes = call.state().scalar(call.script("cli.plan_count"));
  auto controller = sight_of_controller(call, call.state());
  if (!rows.ok() || !changes.ok() || !controller.ok()) {
    return !rows.ok() ? rows.error() : !changes.ok() ? changes.error() : controller.error();
  }
  call.terminal.show(rows.value());
  const std::int64_t steps = std::get<std::int64_t>(changes.value());
  call.terminal.note(steps == 0 ? "nothing to do now" : counted(steps, "step") + " to make");
  if (controller.value().is_old()) {
    call.terminal.note(controller.value().warning(system_now_ms()));
  }
  return said.wants_exit_code && steps > 0 ? kExitDifferences : kExitOk;
}

}  // namespace

void add_plan(Verbs& verbs) {
  const auto [verb, said] = verbs.add("plan", "What Rowlock does next",
                                      "rowlock plan --detailed-exitcode", Needs::state, plan);
  verb.flag("--detailed-exitcode", said.wants_exit_code, "2 when there is a step");
}

}  // namespace rowlock
