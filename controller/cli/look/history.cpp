// `rowlock history [NAME]`: what every revision changed, newest last; changes that are packed are
// read as those that are not.
#include "controller/base/json.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"
#include "controller/cli/edit/revert_rows.h"
#include "controller/history/change_pack.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {
namespace {

struct Options {
  std::string name;  // Empty: of all.
  std::int64_t limit = 50;
};

// Whether the key of the row, or of the row that it belongs to, begins with the name.
bool is_of(const PastChange& change, const std::string& name) {
  if (name.empty()) return true;
  const auto key = Json::parse(change.row_key);
  if (!key.ok()) return false;
  const std::vector<Json> parts = key.value().items();
  return !parts.empty() && parts.front().as_string() == name;
}

Result<int> history(const Call& call, const Options& said) {
  const std::string& name = said.name;
  std::vector<PastChange> found;
  const auto limit = static_cast<std::size_t>(said.limit);
  TRY(walk_back(call.state(), call.schema, 0, name, [&](const PastChange& change) {
    if (found.size() < limit && is_of(change, name)) found.push_back(change);
    return found.size() < limit;
  }));
  std::reverse(found.begin(), found.end());
  std::vector<std::vector<Value>> rows;
  for (const PastChange& change : found) {
    for (std::vector<Value>& told_row :
         told({{change.table, change.row_key, change.before, change.after}})) {
      std::vector<Value> row = {change.revision, change.at_ms};
      row.insert(row.end(), told_row.begin(), told_row.end());
      rows.push_back(std::move(row));
    }
  }
  call.terminal.show(table_from(
      {"revision", "at_ms", "table_name", "row_key", "change", "column", "before", "after"},
      std::move(rows)));
  const Reach reach = TRY(reach_of_history(call.state(), call.schema));
  if (reach.oldest > 0 && found.size() < limit) {
    call.terminal.note(
        fmt::format("what came before revision {} is not kept any more: see "
                    "retention.history_days",
                    reach.oldest + 1));
  }
  return kExitOk;
}

}  // namespace

void add_history(Verbs& verbs) {
  const auto [verb, said] = verbs.add("history", "What every revision changed, newest last",
                                      "rowlock history web", Needs::state, history);
  verb.option("NAME", said.name, "of this job, route or other name alone");
  verb.option("--limit", said.limit, "how many changes (default 50)").at_least(0);
}

}  // namespace rowlock
