// The rows of `violation_now` are asked within the open transaction, and if there are any it is
// rolled back: the check that the controller would make, made before it.
#include "controller/cli/edit/checked_edit.h"

#include "controller/cli/answers.h"
#include "controller/store/invariants.h"
#include "controller/store/shell.h"

#include <fmt/format.h>

#include <memory>

namespace rowlock {

Result<Table> violations_of(const Call& call) {
  Table table = TRY(table_of(call.desired(), call.script("cli.edit_violations")));
  const auto broken = TRY(broken_invariants(call.desired()));
  const auto columns = std::make_shared<const std::vector<std::string>>(table.columns);
  for (const BrokenInvariant& each : broken) {
    table.rows.emplace_back(
        columns, std::vector<Value>{std::string("invariant"), each.name, each.sentence()});
  }
  return table;
}

Error refusal_of(const Table& violations) {
  return {Fault::rejected, Cause::other,
          fmt::format("refused, nothing was written: {}", violations.rows.front().text("message")),
          violations.rows.size() == 1
              ? "correct it and try again"
              : fmt::format("correct it and the other {} reasons, and try again",
                            violations.rows.size() - 1)};
}

Result<> edit(const Call& call, std::string_view script, const Values& values) {
  Transaction transaction = TRY(Transaction::begin(call.desired()));
  TRY(call.desired().run(call.script(script), values));
  const auto violations = TRY(violations_of(call));
  if (!violations.rows.empty()) {
    return refusal_of(violations);
  }
  return transaction.commit();
}

}  // namespace rowlock
