// Read run() first, it names the steps in order. From make_room() on there is a new database that
// is not whole: whatever fails after that drops it again.
#include "controller/adapters/postgres/postgres_restore.h"

#include "controller/adapters/postgres/postgres_error.h"
#include "controller/adapters/postgres/postgres_feeds.h"
#include "controller/adapters/postgres/postgres_globals.h"
#include "controller/adapters/postgres/postgres_program.h"
#include "controller/adapters/postgres/postgres_server.h"
#include "controller/adapters/postgres/postgres_text.h"

#include <string_view>
#include <utility>

namespace rowlock {

namespace {

constexpr std::size_t kBeginningBytesMax = 16 * 1024 * 1024;
constexpr std::string_view kEndedByItself = "pg_restore ended with exit code";

// What the server refuses of a dump it will refuse the next time too. Nothing but what somebody
// writes, here or on the server, can mend that.
Error judged(Error error) {
  if (!error.message.starts_with(kEndedByItself) || !is_load_refused(error.message)) return error;
  return {Fault::rejected, Cause::malformed, error.message,
          "mend that on the server, or restore it by hand as RESTORE.txt in the backup says"};
}

}  // namespace

Result<> PostgresRestore::run() {
  if (const auto looked = look_inside(); !looked.ok()) return looked;
  if (const auto made = make_room(); !made.ok()) {
    // The answer was lost: it may be there.
    if (is_made_) (void)drop_again().ok();
    return made;
  }
  auto filled = fill();
  if (filled.ok() && order_.keeps_owners) filled = give_what_is_its_own();
  if (filled.ok()) return filled;
  Error error = judged(filled.error());
  if (!shortage_.empty()) {
    error = {Fault::transient, Cause::other,
             "ended before the server runs out of disk: " + shortage_,
             "make room there, or restore it on another server"};
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
  PostgresServer server(*opened);
  const auto there = TRY(server.has(order_.database));
  if (order_.has_roles && !there) {
    const auto made = make_missing_roles(*opened, globals_);
    if (!made.ok()) return made;
  }
  const auto created = server.create(order_.database, archive_.database_options());
  disks_ = TRY(server.disks());
  is_made_ =
      created.ok() || (!there && created.error().cause == Cause::deadline) || (!there && ending_);
  return created;
}

Result<> PostgresRestore::fill() {
  const auto place = TRY(connection_text(order_.server.url, order_.database));
  PostgresChildOrder child_order;
  // Where a server keeps its files, and what it takes from other ones, is its own.
  child_order.command = {pg_restore_, "--no-password", "--exit-on-error", "--no-tablespaces",
                         "--dbname=" + place};
  if (!order_.keeps_owners) {
    child_order.command.insert(child_order.command.end(),
                               {"--no-owner", "--no-acl", "--no-subscriptions"});
  }
  child_order.password = order_.server.password;
  child_order.has_input = true;
  child_order.connect_ms = limits_.connect_ms;
  child_order.stall_ms = limits_.stall_ms;
  child_order.still_works = [this] { return still_works(); };
  child_order.must_end = [this] { return must_end(); };
  PostgresFeeds feeds(std::move(child_order));
  const std::string first = beginning_.member;
  if (const auto begun = feeds.give(std::move(beginning_)); !begun.ok()) return begun;
  for (DumpPiece piece = std::move(next_);;) {
    if (!piece.member.empty()) {
      if (piece.member == first) archive_.take(piece.bytes);
      if (const auto given = feeds.give(std::move(piece)); !given.ok()) return given;
    }
    piece = TRY(dump_());
    if (piece.member.empty()) return feeds.finish();
  }
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
