// `rowlock apply FILE…`: files of SQL as one edit of desired.db, shown before it is made, made
// whole or not at all.
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"
#include "controller/cli/edit/checked_edit.h"
#include "controller/cli/look/wait.h"
#include "controller/store/shell.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

namespace rowlock {
namespace {

struct Options {
  std::vector<std::string> files;  // "-": stdin.
  bool is_dry_run = false;
  bool waits = false;
  std::int64_t timeout_ms = 5 * 60'000;
};

struct Script {
  std::string name;
  std::string text;
};

Result<std::vector<Script>> read_scripts(const std::vector<std::string>& files) {
  std::vector<Script> scripts;
  for (const std::string& file : files) {
    std::ifstream opened;
    if (file != "-") {
      errno = 0;
      opened.open(file);
      opened.peek();  // A folder can be opened, but not read.
      if (opened.bad() || !opened.is_open()) {
        return Error{Fault::rejected, Cause::not_found,
                     fmt::format("{}: {}", file, std::strerror(errno != 0 ? errno : EIO)),
                     "name files of SQL, or - for stdin"};
      }
    }
    std::istream& in = file == "-" ? std::cin : opened;
    scripts.push_back(
        {file == "-" ? "stdin" : file, std::string(std::istreambuf_iterator<char>(in), {})});
  }
  return scripts;
}

// "web.sql:12", for the statement that `rest` begins with.
std::string place_of(const Script& script, std::string_view rest) {
  const std::size_t blank = std::min(rest.find_first_not_of(" \t\r\n"), rest.size());
  const std::size_t at = script.text.size() - rest.size() + blank;
  const auto line = 1 + std::count(script.text.begin(),
                                   script.text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  return fmt::format("{}:{}", script.name, line);
}

Result<> run_script(Database& database, const Script& script) {
  EditGuard guard(database);
  std::string_view rest = script.text;
  while (true) {
    const std::string place = place_of(script, rest);
    auto ran = run_next(database, rest);
    if (!ran.ok() && !guard.refused().empty()) {
      return Error{Fault::rejected, Cause::other,
                   fmt::format("{}: {} is refused: apply makes one transaction of all files", place,
                               guard.refused()),
                   fmt::format("take {} out of the file", guard.refused())};
    }
    if (!ran.ok()) {
      Error error = ran.error();
      error.message = fmt::format("{}: {}", place, error.message);
      error.hint = error.hint.empty() ? "nothing of any file was written" : error.hint;
      return error;
    }
    if (!ran.value()) {
      return Done{};
    }
  }
}

// What the edit amounts to.
struct Edit {
  std::int64_t rows_changed = 0;
  Table plan;
  Table violations;
};

Result<Edit> make_edit(const Call& call, const std::vector<Script>& scripts) {
  Database& database = call.desired();
  const std::int64_t before = rows_changed(database);
  for (const Script& script : scripts) {
    TRY(run_script(database, script));
  }
  auto plan = table_of(database, call.script("cli.edit_plan"));
  auto violations = violations_of(call);
  if (!plan.ok() || !violations.ok()) {
    return !plan.ok() ? plan.error() : violations.error();
  }
  return Edit{rows_changed(database) - before, plan.value(), violations.value()};
}

void show_edit(const Terminal& terminal, const Edit& edit) {
  if (terminal.is_json()) {
    return;
  }
  if (!edit.violations.rows.empty()) {
    terminal.show(edit.violations);
    return;
  }
  terminal.show(edit.plan);
  terminal.note(fmt::format("{} changed, {} to make", counted(edit.rows_changed, "row"),
                            counted(static_cast<std::int64_t>(edit.plan.rows.size()), "step")));
}

std::string document_of(const Edit& edit, bool is_committed, const std::string& waited) {
  return fmt::format(
      "{{\"rows_changed\":{},\"committed\":{},\"plan\":{},\"violations\":{},\"wait\":{}}}\n",
      edit.rows_changed, is_committed, json_text(edit.plan), json_text(edit.violations),
      waited.empty() ? "null" : waited);
}

// After the commit: the JSON document comes last, so that there is one whatever the wait gives.
Result<int> finish(const Call& call, const Options& said, const Edit& edit) {
  if (!said.waits) {
    auto controller = sight_of_controller(call, call.desired());
    const bool is_old = controller.ok() && controller.value().is_old();
    if (call.terminal.is_json()) {
      call.terminal.print(document_of(edit, true, ""));
    } else {
      call.terminal.note(is_old ? "written to desired.db; no controller runs that would act on it"
                                : "written to desired.db; `rowlock wait` watches it come true");
    }
    return kExitOk;
  }
  auto waited = await_convergence(call, {"", said.timeout_ms});
  if (call.terminal.is_json()) {
    call.terminal.print(document_of(edit, true, waited.ok() ? waited.value().document : ""));
  }
  if (!waited.ok()) {
    Error error = waited.error();
    error.message = "the edit was written, but cannot be waited for: " + error.message;
    return error;
  }
  return waited.value().exit_code;
}

Result<int> apply(const Call& call, const Options& said) {
  const auto scripts = TRY(read_scripts(said.files));
  Transaction transaction = TRY(Transaction::begin(call.desired()));
  const auto edit = TRY(make_edit(call, scripts));
  show_edit(call.terminal, edit);
  const bool is_refused = !edit.violations.rows.empty();
  if (is_refused || said.is_dry_run) {
    if (call.terminal.is_json()) {
      call.terminal.print(document_of(edit, false, ""));
    }
    if (is_refused) {
      return refusal_of(edit.violations);
    }
    call.terminal.note("dry run: nothing was written");
    return kExitOk;
  }
  TRY(transaction.commit());
  return finish(call, said, edit);
}

Needs needs_of(const Options& said) {
  return said.waits ? Needs::edit | Needs::state : Needs::edit;
}

}  // namespace

void add_apply(Verbs& verbs) {
  const auto [verb, said] = verbs.add("apply", "Files of SQL as one edit of desired.db",
                                      "rowlock apply web.sql --wait", needs_of, apply);
  verb.option("FILE", said.files, "- for stdin").required();
  verb.flag("--dry-run", said.is_dry_run, "show the plan, write nothing");
  verb.flag("--wait", said.waits, "until it is so");
  verb.duration("--timeout", said.timeout_ms, "give up after this (default 5m)");
}

}  // namespace rowlock
