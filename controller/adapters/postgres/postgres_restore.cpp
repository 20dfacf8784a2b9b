// Read run() first, it names the steps in order. From make_room() on there is a new database that
// is not whole: whatever fails after that drops it again.
#include "controller/adapters/postgres/postgres_restore.h"

#include "controller/adapters/postgres/postgres_error.h"
#include "controller/adapters/postgres/postgres_globals.h"
#include "controller/adapters/postgres/postgres_program.h"
#include "controller/adapters/postgres/postgres_server.h"
#include "controller/adapters/postgres/postgres_text.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace rowlock {

namespace {

constexpr std::size_t kBeginningBytesMax = 16 * 1024 * 1024;
constexpr std::chrono::milliseconds kCountEach{200};
constexpr std::size_t kContentsBytesMax = 256 * 1024 * 1024;  // Of one member.
constexpr std::string_view kWholeDump = "dump";               // Of one job.
constexpr std::pair<const char*, const char*> kSections[] = {
    {"before", "--section=pre-data"}, {"data", "--section=data"}, {"after", "--section=post-data"}};
constexpr std::string_view kEndedByItself = "pg_restore ended with exit code";

// What the server refuses of a dump it will refuse the next time too. Nothing but what somebody
// writes, here or on the server, can mend that.
Error judged(Error error) {
  if (!error.message.starts_with(kEndedByItself) || !is_load_refused(error.message)) return error;
  return {Fault::rejected, Cause::malformed, error.message,
          "rowlock restore --keep-going restores all but what is refused, and names it; a row of "
          "backup_exception has it verified without"};
}

Error not_in_the_dump(const std::string& name) {
  return {Fault::rejected, Cause::malformed, "there is no " + postgres_line(name) + " in the dump",
          "name objects as public.pupil or 'TABLE DATA public.pupil', as `pg_restore --list` shows "
          "them"};
}

}  // namespace

Result<RestoredDump> PostgresRestore::run() {
  if (const auto looked = look_inside(); !looked.ok()) return looked.error();
  if (const auto made = make_room(); !made.ok()) {
    // The answer was lost: it may be there.
    if (is_made_) (void)drop_again().ok();
    return made.error();
  }
  auto filled = fill();
  if (filled.ok() && order_.keeps_owners) filled = give_what_is_its_own();
  if (filled.ok()) return std::move(restored_);
  Error error = judged(filled.error());
  if (!shortage_.empty()) {
    error = {Fault::transient, Cause::other,
             "ended before the server runs out of disk: " + shortage_,
             disks_->bytes_max == 0 ? "make room there, or restore it on another server"
                                    : "raise backup_limit.verify_mb, or make room there"};
  }
  if (const auto dropped = drop_again(); !dropped.ok()) {
    error.message +=
        "; and what was restored could not be dropped again: " + dropped.error().message;
    error.hint = "drop the database " + order_.database + " by hand";
  }
  return error;
}

Result<std::unique_ptr<PostgresConnection>> PostgresRestore::connect(bool heeds_ending) const {
  return PostgresConnection::open(
      order_.server, {limits_.connect_ms, limits_.statement_ms, 4 * limits_.statement_ms},
      [this, heeds_ending] { return heeds_ending && ending_; });
}

// How the database was made stands near the beginning of its dump.
Result<> PostgresRestore::look_inside() {
  while (!archive_.is_done() && !archive_.has_database() &&
         beginning_.bytes.size() < kBeginningBytesMax) {
    next_ = TRY(dump_());
    if (beginning_.member.empty()) beginning_.member = next_.member;
    if (next_.member.empty() || next_.member != beginning_.member) break;
    archive_.take(next_.bytes);
    beginning_.bytes += next_.bytes;
    next_ = {};
  }
  if (archive_.major() != 0) {
    auto program =
        TRY(postgres_program("pg_restore", archive_.major(),
                             limits_.folders.empty() ? postgres_folders() : limits_.folders));
    pg_restore_ = std::move(program).path;
    return Done{};
  }
  return Error{Fault::rejected, Cause::other,
               "what is to be restored is no dump in pg_dump's custom format, or of a version that "
               "is not known here",
               "restore it by hand, as RESTORE.txt in the backup says"};
}

Result<> PostgresRestore::make_room() {
  const auto opened = TRY(connect(true));
  options_ = TRY(opened->options_for_programs());
  PostgresServer server(*opened);
  const auto there = TRY(server.has(order_.database));
  if (order_.has_roles && !there) {
    const auto made = make_missing_roles(*opened, globals_);
    if (!made.ok()) return made;
  }
  const auto created = server.create(order_.database, archive_.database_options());
  disks_ = TRY(server.disks());
  if (disks_) disks_->bytes_max = order_.bytes_max;
  is_made_ =
      created.ok() || (!there && created.error().cause == Cause::deadline) || (!there && ending_);
  return created;
}

// Whether anything but all of it is restored as it was dumped.
bool PostgresRestore::selects() const {
  return !order_.only.empty() || !order_.without.empty() || !order_.search_path.empty() ||
         order_.keeps_going;
}

PostgresChildOrder PostgresRestore::child_order(const std::string& place) {
  PostgresChildOrder child_order;
  // Where a server keeps its files, and what it takes from other ones, is its own.
  child_order.command = {pg_restore_, "--no-password", "--no-tablespaces", "--dbname=" + place};
  const auto add = [&](const std::string& option) { child_order.command.push_back(option); };
  // It names what an error is of only when it names everything.
  add(order_.keeps_going ? "--verbose" : "--exit-on-error");
  if (order_.is_single_transaction) add("--single-transaction");
  for (const auto& [section, option] : kSections) {
    const bool is_wanted =
        std::find(order_.sections.begin(), order_.sections.end(), section) != order_.sections.end();
    if (is_wanted) add(option);
  }
  if (!order_.keeps_owners) {
    for (const char* option : {"--no-owner", "--no-acl", "--no-subscriptions"}) add(option);
  }
  child_order.password = order_.server.password;
  child_order.has_input = true;
  child_order.connect_ms = limits_.connect_ms;
  child_order.stall_ms = limits_.stall_ms;
  child_order.still_works = [this] { return still_works(); };
  child_order.must_end = [this] { return must_end(); };
  return child_order;
}

Result<> PostgresRestore::fill() {
  const std::string first = beginning_.member;
  if (order_.is_single_transaction && first != kWholeDump) {
    return Error{Fault::rejected, Cause::malformed,
                 "the backup was dumped by several jobs, which no single transaction can load",
                 "restore it without the single transaction: what fails leaves nothing either way"};
  }
  const auto place = TRY(connection_text(order_.server.url, order_.database, options_));
  PostgresFeeds feeds(child_order(place), order_.keeps_going);
  if (const auto begun = pass(feeds, std::move(beginning_)); !begun.ok()) return begun;
  for (DumpPiece piece = std::move(next_);;) {
    if (!piece.member.empty()) {
      if (piece.member == first) archive_.take(piece.bytes);
      if (const auto given = pass(feeds, std::move(piece)); !given.ok()) return given;
    }
    piece = TRY(dump_());
    if (piece.member.empty()) break;
  }
  TRY(feeds.finish());
  return selects() ? note_left_out(feeds) : Result<>(Done{});
}

// ---- What is restored of it --------------------------------------------------------------------

Result<> PostgresRestore::pass(PostgresFeeds& feeds, DumpPiece piece) {
  if (!selects()) return feeds.give(std::move(piece));
  Held& held = held_[piece.member];
  if (held.is_begun) return feeds.give(std::move(piece));
  held.archive.take(piece.bytes);
  held.bytes += piece.bytes;
  if (held.archive.is_done()) return begin(feeds, piece.member, held);
  if (held.bytes.size() <= kContentsBytesMax) return Done{};
  return Error{Fault::rejected, Cause::malformed,
               "its table of contents is too long to select from",
               "restore all of it, or by hand as RESTORE.txt in the backup says"};
}

Result<> PostgresRestore::begin(PostgresFeeds& feeds, const std::string& member, Held& held) {
  if (held.archive.is_strange()) {
    return Error{
        Fault::rejected, Cause::malformed,
        "its table of contents is of a form that is not known here, so that nothing can be "
        "selected from it",
        "restore all of it, or by hand as RESTORE.txt in the backup says"};
  }
  if (!order_.search_path.empty()) {
    held.bytes = held.archive.with_search_path(held.bytes, order_.search_path);
    if (held.bytes.empty()) {
      return Error{Fault::rejected, Cause::malformed,
                   "the dump says nothing of its search path, so that it cannot be given another",
                   "restore it without one"};
    }
  }
  // An empty list is one as well: of nothing.
  const std::string list = ";\n" + selection_.take(member, held.archive.objects());
  const auto unknown = selection_.unknown_names();
  if (member == kWholeDump && !unknown.empty()) return not_in_the_dump(unknown.front());
  held.is_begun = true;
  DumpPiece piece{member, std::move(held.bytes)};
  held.archive = PostgresArchive(false);
  return feeds.give(std::move(piece), list);
}

Result<> PostgresRestore::note_left_out(const PostgresFeeds& feeds) {
  for (const auto& [member, held] : held_) {
    if (!held.is_begun) {
      return Error{Fault::transient, Cause::other, "the dump ends in its table of contents", ""};
    }
  }
  const auto unknown = selection_.unknown_names();
  if (!unknown.empty()) return not_in_the_dump(unknown.front());
  restored_.left_out = selection_.left_out();
  std::vector<LeftOut> unknown_faults;
  for (const auto& [member, refusal] : feeds.refusals()) {
    LeftOut entry = selection_.entry(member, refusal.number);
    entry.reason = postgres_refusal_words(refusal.words);
    if (entry.known_as.empty()) unknown_faults.push_back(entry);
    restored_.left_out.push_back(std::move(entry));
  }
  if (order_.known.empty() || unknown_faults.empty()) return Done{};
  const LeftOut& fault = unknown_faults.front();
  const std::size_t others = unknown_faults.size() - 1;
  return Error{Fault::rejected, Cause::malformed,
               "beside the known exceptions the server refuses " + fault.object() + ": " +
                   fault.reason + (others == 0 ? "" : ", and " + std::to_string(others) + " more"),
               "mend that on the server, or say in a row of backup_exception that it is known"};
}

// pg_restore has that only where it makes the database itself, under its old name.
Result<> PostgresRestore::give_what_is_its_own() const {
  const std::string script = archive_.database_script(postgres_name(order_.database));
  if (archive_.is_strange() || script.empty()) return Done{};
  const auto opened = TRY(connect(true));
  const auto done = TRY(opened->ask(script));
  if (!done.is_refused()) return Done{};
  Error error = refused(done.refusal, opened->user());
  error.message = "owner, grants and settings of the database itself: " + error.message;
  if (error.fault == Fault::rejected) error.hint = "restore as a superuser, or without the roles";
  return error;
}

bool PostgresRestore::must_end() {
  const std::lock_guard lock(ending_why_);
  if (shortage_.empty() && disks_) shortage_ = disks_->shortage();
  const auto now = std::chrono::steady_clock::now();
  if (shortage_.empty() && disks_ && now >= counts_from_) {
    shortage_ = disks_->excess();
    counts_from_ = std::chrono::steady_clock::now() + kCountEach;
  }
  return ending_.load() || !shortage_.empty();
}

// It reads nothing while the server makes an index, which may take hours.
bool PostgresRestore::still_works() const {
  const auto opened = connect(true);
  if (!opened.ok()) return false;
  const auto working =
      PostgresServer(*opened.value()).is_working_in(order_.database, limits_.stall_ms);
  return working.ok() && working.value();
}

Result<> PostgresRestore::drop_again() const {
  const auto opened = TRY(connect(false));
  PostgresServer server(*opened);
  auto dropped = server.drop(order_.database);
  if (!shortage_.empty()) server.checkpoint();
  return dropped;
}

}  // namespace rowlock
