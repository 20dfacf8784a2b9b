// `rowlock backup [POLICY]`: what there is, or one more now. Asking is an edit of desired.db like
// any other: a row of backup_request.
#include "controller/base/time.h"
#include "controller/cli/backups/backup_verbs.h"
#include "controller/cli/edit/checked_edit.h"
#include "controller/cli/look/follow.h"
#include "controller/cli/opened.h"

#include <fmt/format.h>

#include <unistd.h>

namespace rowlock {

namespace {

Result<int> list(const Call& call) {
  Database state = TRY(opened_state(call));
  const auto rows = TRY(table_of(
      state, {"name", "store", "state", "taken", "size_mb", "restore_ms", "kept_for", "detail"},
      "FROM (SELECT b.id, b.name, b.store, b.state, "
      "             strftime('%Y-%m-%d %H:%M', b.taken_at_ms / 1000, 'unixepoch') AS taken, "
      "             round(b.size_bytes / 1e6, 1) AS size_mb, b.restore_ms, k.reasons AS kept_for, "
      "             CASE b.verify_detail WHEN '' THEN b.detail ELSE b.verify_detail END AS detail "
      "      FROM backup AS b "
      "      LEFT JOIN backup_kept AS k ON k.id = b.id "
      "      WHERE b.state <> 'expired') ORDER BY id"));
  call.terminal.show(rows);
  return kExitOk;
}

// What was asked for: the row of backup_request, and when it is to verify the backups that it
// means.
struct Asked {
  std::string request;
  std::string ids = "[]";
};

Result<Asked> ask(const Call& call, const BackupOptions& options) {
  Database desired = TRY(opened_for_what_if(call));
  const auto known = TRY(desired.query("SELECT name FROM backup_policy_now WHERE name = :name",
                                       {{"name", options.policy}}));
  if (known.empty()) {
    return Error{Fault::rejected, Cause::not_found,
                 fmt::format("there is no backup_policy '{}'", options.policy),
                 "SELECT name FROM backup_policy_now in `rowlock sql` lists them"};
  }
  const auto ids =
      TRY(desired.scalar("SELECT json_group_array(newest_good) FROM backup_standing "
                         "WHERE policy = :name AND newest_good NOT NULL",
                         {{"name", options.policy}}));
  const Asked request{
      fmt::format("{}-{}-{}", options.policy, system_now_ms(), static_cast<int>(::getpid())),
      text_of(ids)};
  if (options.verifies && request.ids == "[]") {
    return Error{Fault::rejected, Cause::not_found,
                 fmt::format("policy {} has no backup that could be verified", options.policy),
                 "rowlock backup " + options.policy};
  }
  TRY(edit(desired,
           "INSERT INTO backup_request (name, policy, what) VALUES (:name, :policy, :what)",
           {{"name", request.request},
            {"policy", options.policy},
            {"what", std::string(options.verifies ? "verify" : "backup")}}));
  return request;
}

// What came of the request, by the rows of every store that heard it.
Result<Followed> look(Database& state, const BackupOptions& options, const Asked& asked) {
  const auto rows = TRY(state.query(
      "SELECT t.store, h.name AS heard, b.name, b.state, b.detail, b.verify_detail, b.retry_at_ms, "
      "       f.want, g.phase, g.detail AS progress "
      "FROM backup_target AS t "
      "LEFT JOIN backup_request_heard AS h ON h.name = :request AND h.store = t.store "
      "LEFT JOIN backup_standing AS s ON s.target = t.target "
      "LEFT JOIN backup AS b ON b.policy = t.policy AND b.store = t.store "
      "  AND CASE WHEN :verifies THEN b.id IN (SELECT value FROM json_each(:ids)) "
      "           ELSE b.id = COALESCE((SELECT max(a.id) FROM backup AS a "
      "                                 WHERE a.policy = t.policy AND a.store = t.store "
      "                                   AND a.reason = 'asked for: ' || :request), s.newest) END "
      "LEFT JOIN backup_fact AS f ON f.id = b.id "
      "LEFT JOIN progress AS g ON g.kind = 'backup' AND g.target = CAST(b.id AS TEXT) "
      "WHERE t.policy = :policy "
      "ORDER BY t.store",
      {{"request", asked.request},
       {"ids", asked.ids},
       {"policy", options.policy},
       {"verifies", std::int64_t{options.verifies}}}));
  Followed come;
  come.is_settled = true;
  for (const Row& row : rows) {
    const std::string state_now = row.is_null("heard") ? "asked for" : row.text("state");
    const bool stays_stored = row.text("want") == "blind" || row.text("want") == "keep" ||
                              !row.text("verify_detail").empty();
    // One that turned out to be none is soon replaced, and deleted.
    const bool is_settled = state_now == "verified" || state_now == "failed" ||
                            state_now == "expired" || (state_now == "stored" && stays_stored);
    come.is_settled = come.is_settled && is_settled;
    come.is_good = come.is_good && state_now != "failed" && row.text("verify_detail").empty();
    const std::string detail =
        row.text("verify_detail").empty() ? row.text("detail") : row.text("verify_detail");
    const std::string name = row.is_null("heard") || row.is_null("name") ? "" : row.text("name");
    come.line += fmt::format("{}{}: {}{}{}", come.line.empty() ? "" : "\n", row.text("store"), name,
                             name.empty() ? "" : " ", state_now);
    if (!row.is_null("heard") && !detail.empty()) come.line += ": " + detail;
    if (!row.is_null("phase")) {
      come.phase = row.text("phase");
      come.progress = row.text("progress");
    }
  }
  return come;
}

}  // namespace

Result<int> backup(const Call& call, const BackupOptions& options) {
  if (options.policy.empty()) {
    return list(call);
  }
  const auto asked = TRY(ask(call, options));
  if (options.has_no_wait) {
    call.terminal.note("asked for; `rowlock status` shows what becomes of it");
    return kExitOk;
  }
  Database state = TRY(opened_state(call));
  return follow(call, state, options.timeout_ms, [&] { return look(state, options, asked); });
}

}  // namespace rowlock
