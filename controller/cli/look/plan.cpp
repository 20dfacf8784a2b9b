// `rowlock plan`: the difference between what is desired and what is, as the steps that come next.
#include "controller/base/time.h"
#include "controller/cli/opened.h"

namespace rowlock {

Result<int> plan(const Call& call, const PlanOptions& options) {
  Database state = TRY(opened_state(call));
  auto rows = table_of(state, {"kind", "name", "target", "step", "reason", "due_at_ms"},
                       "FROM plan ORDER BY step = 'wait', kind, name, target");
  auto changes = state.scalar(std::string("SELECT count(*) FROM plan WHERE ") + kStepChanges);
  auto controller = sight_of_controller(call.home, state);
  if (!rows.ok() || !changes.ok() || !controller.ok()) {
    return !rows.ok() ? rows.error() : !changes.ok() ? changes.error() : controller.error();
  }
  call.terminal.show(rows.value());
  const std::int64_t steps = std::get<std::int64_t>(changes.value());
  call.terminal.note(steps == 0 ? "nothing to do now" : counted(steps, "step") + " to make");
  if (controller.value().is_old()) {
    call.terminal.note(controller.value().warning(system_now_ms()));
  }
  return options.wants_exit_code && steps > 0 ? kExitDifferences : kExitOk;
}

}  // namespace rowlock
