// `rowlock retry NAME`: what has failed under a name is tried again at once, as after an edit of
// its rows. Asked of the controller, since nobody else writes state.db.
#include "controller/base/percent.h"
#include "controller/cli/controller_client.h"

#include <fmt/format.h>

namespace rowlock {

Result<int> retry(const Call& call, const RetryOptions& options) {
  const Json answer = TRY(ControllerClient(call).ask(
      "POST", "/v1/rowlock/retry/" + percent_encoded(options.name), Json::object({})));
  const std::vector<Json> steps = answer["data"]["steps"].items();
  std::vector<std::vector<Value>> rows;
  for (const Json& step : steps) {
    rows.push_back({step["kind"].as_string(), step["target"].as_string(), step["step"].as_string(),
                    step["detail"].as_string()});
  }
  call.terminal.show(table_from({"kind", "target", "step", "failed"}, std::move(rows)));
  call.terminal.note(steps.empty() ? "nothing of that name waits for another try"
                                   : "tried again now; `rowlock why` tells what comes of it");
  return kExitOk;
}

}  // namespace rowlock
