// `rowlock audit`: who asked for which secret, and `rowlock audit verify`: whether that and the
// secrets themselves are still as they were written.
#include "controller/cli/controller_client.h"
#include "controller/cli/opened.h"
#include "controller/cli/secrets/secret_verbs.h"

#include <fmt/format.h>

namespace rowlock {

Result<int> audit(const Call& call, const AuditOptions& options) {
  Database state = TRY(opened_state(call));
  const auto lines = TRY(table_of(
      state, {"seq", "at_ms", "actor", "operation", "path", "version", "outcome", "detail"},
      "FROM (SELECT * FROM audit ORDER BY seq DESC LIMIT :most) ORDER BY seq",
      {{"most", options.limit}}));
  call.terminal.show(lines);
  return kExitOk;
}

Result<int> audit_verify(const Call& call) {
  const auto verified = TRY(ControllerClient(call).ask("POST", "/v1/rowlock/audit/verify", "{}"));
  const Json& report = verified;
  const std::vector<Json> findings = report["findings"].items();
  if (call.terminal.is_json()) {
    call.terminal.print(report.text() + "\n");
  } else {
    std::vector<std::vector<Value>> rows;
    for (const Json& finding : findings) {
      rows.push_back({finding.as_string()});
    }
    call.terminal.show(table_from({"finding"}, std::move(rows)));
    call.terminal.note(fmt::format(
        "{} and {} read: {}", counted(report["lines"].as_integer(), "line"),
        counted(report["rows"].as_integer(), "row"),
        findings.empty() ? "all is as it was written"
                         : counted(static_cast<std::int64_t>(findings.size()), "finding")));
  }
  return findings.empty() ? kExitOk : kExitFailed;
}

}  // namespace rowlock
