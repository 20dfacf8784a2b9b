// `rowlock restore POLICY --into URL`: a row of the table restore, and what becomes of it.
#include "controller/base/time.h"
#include "controller/cli/backups/backup_verbs.h"
#include "controller/cli/backups/restore_target.h"
#include "controller/cli/edit/checked_edit.h"
#include "controller/cli/look/follow.h"
#include "controller/cli/opened.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

Error misused(std::string message, std::string hint) {
  return {Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

Result<std::string> ask(const Call& call, const RestoreOptions& options) {
  Database desired = TRY(opened_for_what_if(call));
  const std::string name = fmt::format("by-hand-{}", system_now_ms());
  TRY(edit(desired,
           "INSERT INTO restore (name, policy, backup, into_url, secret, \"into\", confirm, roles) "
           "VALUES (:name, :policy, :backup, :into_url, :secret, :into, :confirm, :roles)",
           {{"name", name},
            {"policy", options.policy},
            {"backup", options.backup},
            {"into_url", options.into},
            {"secret", options.secret},
            {"into", std::string(options.replaces.empty() ? "new" : "existing")},
            {"confirm", options.replaces.empty() ? "" : "replace " + options.replaces},
            {"roles", std::int64_t{options.has_roles}}}));
  return name;
}

// While a step tells how far it is, that is all there is to say.
Result<Followed> look(Database& state, const std::string& name) {
  const auto rows = TRY(state.query(
      "SELECT 'refused: ' || message AS line, 'failed' AS state, NULL AS phase, NULL AS progress "
      "FROM refusal WHERE table_name = 'restore' AND row_key = :name UNION ALL "
      "SELECT s.detail, s.state, g.phase, g.detail FROM status AS s LEFT JOIN progress AS g "
      "ON g.kind = s.kind AND g.target = s.name WHERE s.kind = 'restore' AND s.name = :name",
      {{"name", name}}));
  if (rows.empty()) {
    Followed none;
    none.line = "asked for";
    return none;
  }
  const Row& row = rows.front();
  const std::string now = row.text("state");
  Followed come;
  come.line = row.is_null("phase") ? row.text("line") : "";
  come.phase = row.text("phase");
  come.progress = row.text("progress");
  come.is_settled = now == "converged" || now == "failed";
  come.is_good = now != "failed";
  return come;
}

}  // namespace

Result<int> restore(const Call& call, const RestoreOptions& options) {
  if (options.policy.empty() || options.into.empty()) {
    return misused("say whose backup, and into which database",
                   "rowlock restore POLICY --into postgresql://USER@HOST:PORT/NAME, or with --from "
                   "on a machine that has no home");
  }
  TRY(target_of(options));
  if (const auto obstacle = obstacle_at(call.home, true)) {
    return call.terminal.fail(obstacle->error, obstacle->exit_code);
  }
  const auto asked = TRY(ask(call, options));
  if (options.has_no_wait) {
    call.terminal.note("asked for as " + asked);
    return kExitOk;
  }
  Database state = TRY(opened_state(call));
  auto followed = follow(call, state, options.timeout_ms, [&] { return look(state, asked); });
  if (followed.ok() && followed.value() == kExitOk && !options.has_roles) {
    call.terminal.note("owners and grants were left out: --roles keeps them");
  }
  return followed;
}

}  // namespace rowlock
