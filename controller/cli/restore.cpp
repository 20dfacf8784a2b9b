// `rowlock restore POLICY --into URL`: a row of the table restore, and what becomes of it.
#include "controller/base/time.h"
#include "controller/cli/backup_verbs.h"
#include "controller/cli/interrupts.h"
#include "controller/cli/opened.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr std::int64_t kLookEveryMs = 200;

Error misused(std::string message, std::string hint) {
  return {Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

Result<std::string> ask(const Call& call, const RestoreOptions& options) {
  auto opened = opened_for_what_if(call);
  if (!opened.ok()) {
    return opened.error();
  }
  Database desired = std::move(opened).value();
  const std::string name = fmt::format("by-hand-{}", system_now_ms());
  auto asked = desired.run(
      "INSERT INTO restore (name, policy, backup, into_url, secret, \"into\", confirm, roles) "
      "VALUES (:name, :policy, :backup, :into_url, :secret, :into, :confirm, :roles)",
      {{"name", name},
       {"policy", options.policy},
       {"backup", options.backup},
       {"into_url", options.into},
       {"secret", options.secret},
       {"into", std::string(options.replaces.empty() ? "new" : "existing")},
       {"confirm", options.replaces.empty() ? "" : "replace " + options.replaces},
       {"roles", std::int64_t{options.has_roles}}});
  if (!asked.ok()) {
    return asked.error();
  }
  return name;
}

Result<int> follow(const Call& call, const RestoreOptions& options, const std::string& name) {
  auto opened = opened_state(call);
  if (!opened.ok()) {
    return opened.error();
  }
  Database state = std::move(opened).value();
  const Interrupts interrupts;
  const std::int64_t until_ms = system_now_ms() + options.timeout_ms;
  std::string said;
  while (true) {
    auto rows = state.query(
        "SELECT 'refused: ' || message AS line, 'failed' AS state FROM refusal "
        "WHERE table_name = 'restore' AND row_key = :name UNION ALL "
        "SELECT detail, state FROM status WHERE kind = 'restore' AND name = :name",
        {{"name", name}});
    if (!rows.ok()) {
      return rows.error();
    }
    const std::string line = rows.value().empty() ? "asked for" : rows.value()[0].text("line");
    const std::string now = rows.value().empty() ? "" : rows.value()[0].text("state");
    if (line != said) {
      said = line;
      call.terminal.note(said);
    }
    if (now == "converged") return kExitOk;
    if (now == "failed") return kExitFailed;
    if (interrupts.sleep(kLookEveryMs)) {
      call.terminal.note("stopped watching; it goes on, see `rowlock status`");
      return kExitInterrupted;
    }
    if (system_now_ms() > until_ms) {
      return Error{Fault::transient, Cause::deadline, "it has not ended in this time",
                   "it goes on: see `rowlock status`"};
    }
  }
}

}  // namespace

Result<int> restore(const Call& call, const RestoreOptions& options) {
  if (options.policy.empty() || options.into.empty()) {
    return misused("say whose backup, and into which database",
                   "rowlock restore POLICY --into postgresql://USER@HOST:PORT/NAME, or with --from "
                   "on a machine that has no home");
  }
  if (const auto obstacle = obstacle_at(call.home, true)) {
    return call.terminal.fail(obstacle->error, obstacle->exit_code);
  }
  auto asked = ask(call, options);
  if (!asked.ok()) {
    return asked.error();
  }
  if (options.has_no_wait) {
    call.terminal.note("asked for as " + asked.value());
    return kExitOk;
  }
  return follow(call, options, asked.value());
}

}  // namespace rowlock
