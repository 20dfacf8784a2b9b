// The rows of `violation_now` are asked within the open transaction, and if there are any it is
// rolled back: the check that the controller would make, made before it.
#include "controller/cli/edit/checked_edit.h"

#include "controller/cli/opened.h"
#include "controller/store/shell.h"

#include <fmt/format.h>

#include <memory>

namespace rowlock {

namespace {

constexpr int kInvariantRowsMax = 1000;
constexpr int kInvariantTimeMs = 200;

}  // namespace

Result<Table> violations_of(Database& database) {
  auto found = table_of(database, {"table_name", "row_key", "message"},
                        "FROM violation_now ORDER BY table_name, row_key, message");
  auto invariants = database.query("SELECT name, query, message FROM invariant ORDER BY name");
  if (!found.ok() || !invariants.ok()) {
    return !found.ok() ? found.error() : invariants.error();
  }
  Table table = found.value();
  const auto columns = std::make_shared<const std::vector<std::string>>(table.columns);
  for (const Row& invariant : invariants.value()) {
    auto rows =
        database.guarded_query(invariant.text("query"), kInvariantRowsMax, kInvariantTimeMs);
    if (rows.ok() && rows.value().empty()) {
      continue;
    }
    const std::string message =
        rows.ok() ? invariant.text("message") : "its query " + rows.error().message;
    table.rows.emplace_back(
        columns, std::vector<Value>{std::string("invariant"), invariant.text("name"), message});
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

Result<> edit(Database& database, const std::string& statement, const Values& values) {
  Transaction transaction = TRY(Transaction::begin(database));
  if (auto ran = database.run(statement, values); !ran.ok()) {
    return ran;
  }
  const auto violations = TRY(violations_of(database));
  if (!violations.rows.empty()) {
    return refusal_of(violations);
  }
  return transaction.commit();
}

}  // namespace rowlock
