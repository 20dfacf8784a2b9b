// `rowlock backup [POLICY]`: what there is, or one more now. Asking is an edit of desired.db like
// any other: a row of backup_request.
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"
#include "controller/cli/edit/checked_edit.h"
#include "controller/cli/look/follow.h"

#include <fmt/format.h>

#include <unistd.h>

namespace rowlock {

namespace {

struct Options {
  std::string policy;     // Empty: list what there is.
  bool verifies = false;  // Restore and compare the newest one, in place of making one.
  bool has_no_wait = false;
  std::int64_t timeout_ms = 2 * 3'600'000;
};

Result<int> list(const Call& call) {
  call.terminal.show(TRY(table_of(call.state(), call.script("cli.backup_list"))));
  return kExitOk;
}

// What was asked for: the row of backup_request, and when it is to verify the backups that it
// means.
struct Asked {
  std::string request;
  std::string ids = "[]";
};

Result<Asked> ask(const Call& call, const Options& options) {
  Database& desired = call.desired();
  const Values policy = {{"policy", options.policy}};
  const auto known = TRY(desired.query(call.script("cli.backup_policy"), policy));
  if (known.empty()) {
    return Error{Fault::rejected, Cause::not_found,
                 fmt::format("there is no backup_policy '{}'", options.policy),
                 "SELECT name FROM backup_policy_now in `rowlock sql` lists them"};
  }
  const auto ids = TRY(desired.scalar(call.script("cli.backup_to_verify"), policy));
  const Asked request{
      fmt::format("{}-{}-{}", options.policy, system_now_ms(), static_cast<int>(::getpid())),
      text_of(ids)};
  if (options.verifies && request.ids == "[]") {
    return Error{Fault::rejected, Cause::not_found,
                 fmt::format("policy {} has no backup that could be verified", options.policy),
                 "rowlock backup " + options.policy};
  }
  TRY(edit(call, "cli.backup_request",
           {{"name", request.request},
            {"policy", options.policy},
            {"what", std::string(options.verifies ? "verify" : "backup")}}));
  return request;
}

// What came of the request, by the rows of every store that heard it.
Result<Followed> look(const Call& call, const Options& options, const Asked& asked) {
  const auto rows = TRY(call.state().query(call.script("cli.backup_progress"),
                                           {{"request", asked.request},
                                            {"ids", asked.ids},
                                            {"policy", options.policy},
                                            {"verifies", std::int64_t{options.verifies}}}));
  Followed come;
  come.is_settled = true;
  for (const Row& row : rows) {
    std::string state_now = row.text("state");
    if (row.is_null("heard")) state_now = TRY(asked_for(call));
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

Result<int> backup(const Call& call, const Options& options) {
  if (options.policy.empty()) {
    return list(call);
  }
  const auto asked = TRY(ask(call, options));
  if (options.has_no_wait) {
    call.terminal.note("asked for; `rowlock status` shows what becomes of it");
    return kExitOk;
  }
  return follow(call, options.timeout_ms, [&] { return look(call, options, asked); });
}

Needs needs_of(const Options& said) {
  return said.policy.empty() ? Needs::state : Needs::edit | Needs::state;
}

}  // namespace

void add_backup(Verbs& verbs) {
  const auto [verb, said] = verbs.add("backup", "Make a backup now, or list those there are",
                                      "rowlock backup nightly", needs_of, backup);
  verb.option("POLICY", said.policy, "which; all are listed when left out");
  verb.flag("--verify", said.verifies, "restore and compare the newest one instead");
  verb.flag("--no-wait", said.has_no_wait, "return once it is asked for");
  verb.duration("--timeout", said.timeout_ms, "stop watching after this (default 2h)");
}

}  // namespace rowlock
