// `rowlock audit`: who asked for which secret, and `rowlock audit verify`: whether that and the
// secrets themselves are still as they were written.
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"

#include <fmt/format.h>

namespace rowlock {
namespace {

struct Options {
  std::int64_t limit = 50;
};

Result<int> audit(const Call& call, const Options& said) {
  const auto lines = TRY(table_of(call.state(), call.script("cli.audit"), {{"most", said.limit}}));
  call.terminal.show(lines);
  return kExitOk;
}

Result<int> audit_verify(const Call& call) {
  const auto report = TRY(call.controller().ask("POST", "/v1/rowlock/audit/verify", "{}"));
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

}  // namespace

void add_audit(Verbs& verbs) {
  const auto [verb, said] = verbs.add("audit", "Who asked for which secret, newest last",
                                      "rowlock audit --limit 100", Needs::state, audit);
  verb.option("--limit", said.limit, "how many (default 50)").at_least(0);
  verbs.under("audit").add("verify",
                           "Whether the audit log and all secrets are as they were written",
                           "rowlock audit verify", Needs::controller, audit_verify);
}

}  // namespace rowlock
