// `rowlock revert JOB [REVISION]`: puts rows of desired.db back as they were; an edit like any
// other, accepted as a new revision. `--all` also makes a lost or damaged desired.db anew.
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"
#include "controller/cli/edit/revert_rows.h"
#include "controller/history/change_pack.h"
#include "controller/store/desired_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <unistd.h>

namespace rowlock {
namespace {

struct Options {
  bool is_all = false;                   // All tables.
  std::vector<std::string> words;        // JOB [REVISION], or [REVISION] of all.
  bool is_agreed = false;                // --yes
  std::string job;                       // From the words. Empty: all tables.
  std::optional<std::int64_t> revision;  // Absent: before the last change.
};

// Takes the words apart.
Result<> read_words(Options& said) {
  std::vector<std::string> words = said.words;
  if (!said.is_all) {
    if (words.empty()) {
      return Error{Fault::rejected, Cause::other, "JOB or --all is required", ""};
    }
    said.job = words.front();
    words.erase(words.begin());
  }
  if (words.empty()) {
    return Done{};
  }
  std::int64_t revision = 0;
  const std::string& text = words.front();
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || words.size() > 1) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("REVISION: '{}' is not a revision's number", text), ""};
  }
  said.revision = revision;
  return Done{};
}

// What is to be done, before it is shown and agreed to.
struct Intent {
  std::int64_t revision = 0;  // To go back to.
  std::string unreadable;     // Why desired.db has to be made anew; empty: it is edited.
  std::vector<RowChange> changes;
};

Error nothing_before(const std::string& job, std::int64_t revision) {
  return {Fault::rejected, Cause::not_found,
          job.empty()     ? "there is no earlier revision"
          : revision == 0 ? fmt::format("no revision ever changed a job called '{}'", job)
                          : fmt::format("revision {} made the job {}: there is nothing before it",
                                        revision, job),
          "`rowlock history` lists what every revision changed"};
}

Error too_old(std::int64_t asked, std::int64_t oldest) {
  return {Fault::rejected, Cause::not_found,
          fmt::format("the rows of revision {} are not known any more: history goes back to "
                      "revision {}",
                      asked, oldest),
          "how long it is kept is in retention.history_days; a backup of the home may go back "
          "further"};
}

// Where to go when no revision was named: an edit that is not in force is undone; otherwise the
// last accepted change is.
Result<std::int64_t> default_revision(const Call& call, const std::string& job, const RowSet& now) {
  auto accepted = rows_in(call.state(), call.schema, job);
  auto in_force = revision_in_force(call, call.state());
  auto last = last_change_of(call.state(), call.schema, job);
  if (!accepted.ok() || !in_force.ok() || !last.ok()) {
    return !accepted.ok() ? accepted.error() : !in_force.ok() ? in_force.error() : last.error();
  }
  if (!accepted.value().empty() && !changes_between(now, accepted.value()).empty()) {
    return in_force.value();
  }
  if (last.value() == 0) {
    return nothing_before(job, 0);
  }
  const Reach reach = TRY(reach_of_history(call.state(), call.schema));
  if (last.value() - 1 < reach.oldest) return too_old(last.value() - 1, reach.oldest);
  const auto before = TRY(rows_at(call.state(), call.schema, job, last.value() - 1));
  if (before.empty()) {
    return nothing_before(job, last.value());
  }
  return last.value() - 1;
}

// Why desired.db cannot be read, or "". One that a newer Rowlock wrote is not ours to replace.
Result<std::string> damage_of(const Call& call) {
  DesiredFile file(call.home.desired_path(), call.schema);
  auto read = file.read();
  if (read.ok()) {
    return std::string();
  }
  if (read.error().fault == Fault::transient) {
    return read.error();
  }
  auto opened = Database::open(call.home.desired_path(), Database::Mode::read_only);
  if (opened.ok()) {
    Database desired = std::move(opened).value();
    auto version = desired.scalar("PRAGMA user_version");
    if (version.ok() && std::get<std::int64_t>(version.value()) > kDesiredVersion) {
      return read.error();
    }
  }
  return read.error().message;
}

Result<RowSet> rows_now(const Call& call, const std::string& job) {
  Database desired = TRY(Database::open(call.home.desired_path(), Database::Mode::read_only));
  return rows_in(desired, call.schema, job);
}

Error no_revision(std::int64_t asked, std::int64_t in_force) {
  return {Fault::rejected, Cause::not_found,
          fmt::format("there is no revision {}: the last one is {}", asked, in_force),
          "`rowlock history` lists them"};
}

// Requires: `intent.revision` is that asked for, or the one in force.
Result<Intent> completed(const Call& call, const Options& options, Intent intent) {
  RowSet now;
  if (intent.unreadable.empty()) {
    now = TRY(rows_now(call, options.job));
  }
  if (intent.unreadable.empty() && !options.revision) {
    const auto chosen = TRY(default_revision(call, options.job, now));
    intent.revision = chosen;
  }
  const Reach reach = TRY(reach_of_history(call.state(), call.schema));
  if (intent.revision < reach.oldest) return too_old(intent.revision, reach.oldest);
  const auto then = TRY(rows_at(call.state(), call.schema, options.job, intent.revision));
  if (now.empty() && then.empty() && !options.job.empty()) {
    return nothing_before(options.job, 0);
  }
  intent.changes = changes_between(now, then);
  return intent;
}

Result<Intent> intent_of(const Call& call, const Options& options) {
  auto damage = damage_of(call);
  auto in_force = revision_in_force(call, call.state());
  if (!damage.ok() || !in_force.ok()) {
    return !damage.ok() ? damage.error() : in_force.error();
  }
  if (!damage.value().empty() && !options.job.empty()) {
    return Error{Fault::broken, Cause::other, "desired.db cannot be read: " + damage.value(),
                 "make it anew from the rows in force: `rowlock revert --all`"};
  }
  const std::int64_t revision = options.revision.value_or(in_force.value());
  if (revision < 0 || revision > in_force.value()) {
    return no_revision(revision, in_force.value());
  }
  return completed(call, options, {revision, damage.value(), {}});
}

Result<> approve_deletions(const Call& call, Database& desired, std::int64_t in_force,
                           const std::vector<RowChange>& changes) {
  std::map<std::string, std::int64_t> deletes;
  for (const RowChange& change : changes) {
    deletes[change.table] += change.after.empty() ? 1 : 0;
  }
  for (const auto& [table, count] : deletes) {
    if (count == 0) {
      continue;
    }
    TRY(desired.run(call.script("cli.revert_approve"),
                    {{"revision", in_force}, {"table", table}, {"deletes", count}}));
  }
  return Done{};
}

Result<> edit(const Call& call, const Intent& intent, std::int64_t in_force) {
  Database desired = TRY(open_desired_for_editing(call.home));
  Transaction transaction = TRY(Transaction::begin(desired));
  TRY(make_changes(desired, call.schema, intent.changes));
  TRY(approve_deletions(call, desired, in_force, intent.changes));
  return transaction.commit();
}

// A folder that goes away with all that is in it.
struct ScratchFolder {
  std::string path;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

Error cannot(const std::string& what, int code) {
  return {Fault::broken, Cause::other, fmt::format("cannot {}: {}", what, std::strerror(code)),
          "is there room on the disk, and may this user write to the home?"};
}

Result<> fill(const std::string& path, const Schema& schema, const RowSet& rows) {
  Database desired = TRY(Database::open(path, Database::Mode::read_write));
  auto fresh = rows_in(desired, schema, "");  // What every new file begins with.
  if (!fresh.ok()) {
    return fresh.error();
  }
  Transaction transaction = TRY(Transaction::begin(desired));
  TRY(make_changes(desired, schema, changes_between(fresh.value(), rows)));
  return transaction.commit();  // Closing brings the WAL into the file.
}

// Made aside and moved into place whole: a controller that runs never sees half of it.
Result<> make_anew(const Call& call, const Intent& intent, std::int64_t now_ms) {
  std::string path = call.home.folder() + "/revert.XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    return cannot("make a folder in " + call.home.folder(), errno);
  }
  const ScratchFolder scratch{path};
  const Home fresh(path);
  TRY(fresh.create(call.schema, now_ms));
  RowSet rows;
  for (const RowChange& change : intent.changes) {
    rows[{change.table, change.row_key}] = change.after;
  }
  TRY(fill(fresh.desired_path(), call.schema, rows));
  const std::string desired = call.home.desired_path();
  const std::string aside = fmt::format("{}.broken-{}", desired, rfc3339(now_ms));
  for (const char* part : {"-wal", "-shm", ""}) {
    if (std::rename((desired + part).c_str(), (aside + part).c_str()) != 0 && errno != ENOENT) {
      return cannot("move " + desired + part + " aside", errno);
    }
  }
  if (std::rename(fresh.desired_path().c_str(), desired.c_str()) != 0) {
    return cannot("put " + desired + " in place", errno);
  }
  if (access(aside.c_str(), F_OK) == 0) {
    call.terminal.note("the old file is kept as " + aside);
  }
  return Done{};
}

Table shown(const Intent& intent) {
  Table table{{"table_name", "row_key", "change", "column", "before", "after"}, {}};
  const auto columns = std::make_shared<const std::vector<std::string>>(table.columns);
  for (std::vector<Value>& cells : told(intent.changes)) {
    table.rows.emplace_back(columns, std::move(cells));
  }
  return table;
}

void show(const Call& call, const Intent& intent) {
  if (call.terminal.is_json()) {
    call.terminal.print(fmt::format("{{\"revision\":{},\"made_anew\":{},\"changes\":{}}}\n",
                                    intent.revision, !intent.unreadable.empty(),
                                    json_text(shown(intent))));
    return;
  }
  if (!intent.unreadable.empty()) {
    call.terminal.note("desired.db is made anew, for it cannot be read: " + intent.unreadable);
  }
  call.terminal.note(fmt::format("back to revision {}:", intent.revision));
  call.terminal.show(shown(intent));
}

Result<int> revert(const Call& call, const Options& options) {
  auto found = intent_of(call, options);
  auto in_force = revision_in_force(call, call.state());
  if (!found.ok() || !in_force.ok()) {
    return !found.ok() ? found.error() : in_force.error();
  }
  const Intent& intent = found.value();
  if (intent.changes.empty() && intent.unreadable.empty()) {
    show(call, intent);
    call.terminal.note("nothing to change: the rows are as they were then");
    return kExitOk;
  }
  show(call, intent);
  const bool is_asked = options.job.empty() && !options.is_agreed;
  if (is_asked && !call.terminal.reads_person()) {
    return Error{Fault::rejected, Cause::other, "nobody is there to agree to this",
                 "nothing was written; add --yes"};
  }
  if (is_asked && !call.terminal.confirms("write this to desired.db?")) {
    call.terminal.note("nothing was written");
    return kExitFailed;
  }
  TRY(intent.unreadable.empty() ? edit(call, intent, in_force.value())
                                : make_anew(call, intent, system_now_ms()));
  call.terminal.note("written to desired.db; `rowlock wait` watches it come true");
  return kExitOk;
}

}  // namespace

void add_revert(Verbs& verbs) {
  const auto [verb, said] =
      verbs.add("revert", "Put rows of desired.db back as they were", "rowlock revert web 4",
                Needs::editable | Needs::state, revert);
  verb.option("JOB", said.words, "and a REVISION; else before its last change")
      .type("[REVISION]")
      .words(0, 2);
  verb.flag("--all", said.is_all, "all tables; makes desired.db anew when it cannot be read");
  verb.flag("-y,--yes", said.is_agreed, "do not ask");
  verb.check([&words = said] { return read_words(words); });
}

}  // namespace rowlock
