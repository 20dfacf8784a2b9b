// `rowlock restore POLICY --into URL`: a row of the table restore, and what becomes of it.
#include "controller/base/json.h"
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/backups/restore_options.h"
#include "controller/cli/backups/restore_target.h"
#include "controller/cli/edit/checked_edit.h"
#include "controller/cli/look/follow.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

Error misused(std::string message, std::string hint) {
  return {Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

std::string json_of(const std::vector<std::string>& names) {
  std::vector<Json> list;
  for (const std::string& name : names) list.push_back(Json::string(name));
  return Json::array(std::move(list)).text();
}

Result<std::string> ask(const Call& call, const RestoreOptions& options) {
  const std::string name = fmt::format("by-hand-{}", system_now_ms());
  TRY(edit(call, "cli.restore_request",
           {{"name", name},
            {"policy", options.policy},
            {"backup", options.backup},
            {"into_url", options.into},
            {"secret", options.secret},
            {"into", std::string(options.replaces.empty() ? "new" : "existing")},
            {"confirm", options.replaces.empty() ? "" : "replace " + options.replaces},
            {"roles", std::int64_t{options.has_roles}},
            {"sections", json_of(sections_of(options))},
            {"search_path", options.search_path},
            {"without", json_of(options.without)},
            {"only", json_of(options.only)},
            {"single_transaction", std::int64_t{options.is_single_transaction}},
            {"keep_going", std::int64_t{options.keeps_going}}}));
  return name;
}

// While a step tells how far it is, that is all there is to say.
Result<Followed> look(const Call& call, const std::string& name) {
  const auto rows = TRY(call.state().query(call.script("cli.restore_progress"), {{"name", name}}));
  if (rows.empty()) {
    Followed none;
    none.line = TRY(asked_for(call));
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

Result<> tell_left_out(const Call& call, const std::string& name) {
  const auto rows = TRY(call.state().query(call.script("cli.restore_left_out"), {{"name", name}}));
  for (const Row& row : rows) {
    call.terminal.note("left out: " + row.text("object") + ": " + row.text("reason"));
  }
  return Done{};
}

Result<int> restore(const Call& call, const RestoreOptions& options) {
  if (!options.bare.from.empty()) {
    return restore_bare(call, options);
  }
  const auto asked = TRY(ask(call, options));
  if (options.has_no_wait) {
    call.terminal.note("asked for as " + asked);
    return kExitOk;
  }
  auto followed = follow(call, options.timeout_ms, [&] { return look(call, asked); });
  if (followed.ok() && followed.value() == kExitOk) {
    TRY(tell_left_out(call, asked));
  }
  if (followed.ok() && followed.value() == kExitOk && !options.has_roles) {
    call.terminal.note("owners and grants were left out: --roles keeps them");
  }
  return followed;
}

// What a store alone is asked for, it checks itself: to list it takes neither.
Result<> check(const RestoreOptions& said) {
  TRY(check_selection(said));
  if (!said.bare.from.empty()) {
    return Done{};
  }
  if (said.policy.empty() || said.into.empty()) {
    return misused("say whose backup, and into which database",
                   "rowlock restore POLICY --into postgresql://USER@HOST:PORT/NAME, or with --from "
                   "on a machine that has no home");
  }
  TRY(target_of(said));
  return Done{};
}

Needs needs_of(const RestoreOptions& said) {
  return said.bare.from.empty() ? Needs::edit | Needs::state : Needs::nothing;
}

}  // namespace

void add_restore(Verbs& verbs) {
  const auto [verb, said] =
      verbs.add("restore", "A backup as a database again",
                "rowlock restore nightly --into postgresql://admin@127.0.0.1:5432/app_yesterday",
                needs_of, restore);
  verb.option("POLICY", said.policy, "whose backup");
  verb.option("--backup", said.backup,
              "latest (default: the last verified one), a name, or a moment in UTC");
  verb.option("--into", said.into, "the database that it becomes").type("URL");
  verb.option("--secret", said.secret, "path of the secret with its password");
  verb.option("--password-file", said.password_file, "with --from: its password").type("FILE");
  verb.option("--replace", said.replaces, "put the existing database of this name aside");
  verb.flag("--roles", said.has_roles,
            "make roles that are missing, keep owners, grants and settings");
  verb.option("--section", said.sections, "before (what is made), data, after (indexes, keys …)")
      .type("LIST");
  verb.option("--search-path", said.search_path, "where names without a schema are looked for");
  verb.option("--without", said.without, "leave out this object and what needs it")
      .type("NAME")
      .again_for_more();
  verb.option("--only", said.only, "restore this object alone, with what it needs")
      .type("NAME")
      .again_for_more();
  verb.flag("--single-transaction", said.is_single_transaction, "load it in one transaction");
  verb.flag("--keep-going", said.keeps_going, "leave out what the server refuses, and name it");
  verb.flag("--list", said.lists, "with --from: show what is there");
  verb.flag("--no-wait", said.has_no_wait, "return once it is asked for");
  verb.duration("--timeout", said.timeout_ms, "stop watching after this (default 12h)");
  add_bare_store(verb, said.bare);
  verb.check([&words = said] { return check(words); });
}

}  // namespace rowlock
