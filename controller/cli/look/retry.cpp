// `rowlock retry NAME`: what has failed under a name is tried again at once, as after an edit of
// its rows. Asked of the controller, since nobody else writes state.db.
#include "controller/base/percent.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/controller_client.h"

#include <fmt/format.h>

namespace rowlock {
namespace {

struct Options {
  std::string name;
};

Result<int> retry(const Call& call, const Options& said) {
  const Json answer = TRY(call.controller().ask(
      "POST", "/v1/rowlock/retry/" + percent_encoded(said.name), Json::object({})));
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

}  // namespace

void add_retry(Verbs& verbs) {
  const auto [verb, said] = verbs.add("retry", "Try again at once what has failed",
                                      "rowlock retry web", Needs::home | Needs::controller, retry);
  verb.option("NAME", said.name, "a job, a policy, a database …").required();
}

}  // namespace rowlock
