// One restore on its way: the steps that PostgresDumps::restore() is made of.
#pragma once

#include "controller/adapters/postgres/postgres_archive.h"
#include "controller/adapters/postgres/postgres_connection.h"
#include "controller/adapters/postgres/postgres_disks.h"
#include "controller/adapters/postgres/postgres_dump.h"
#include "controller/adapters/postgres/postgres_feeds.h"
#include "controller/adapters/postgres/postgres_selection.h"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace rowlock {

class PostgresRestore {
 public:
  // All of them outlive this.
  PostgresRestore(const PostgresDumpLimits& limits, const RestoreOrder& order,
                  const std::string& globals, const DumpSource& dump,
                  const std::atomic<bool>& ending)
      : limits_(limits),
        order_(order),
        globals_(globals),
        dump_(dump),
        ending_(ending),
        selection_(order) {}

  // Requires: called once.
  Result<RestoredDump> run();

 private:
  Result<std::unique_ptr<PostgresConnection>> connect(bool heeds_ending) const;
  Result<> look_inside();
  Result<> make_room();
  // A member whose table of contents is read before pg_restore is given any of it.
  struct Held {
    PostgresArchive archive{true};
    std::string bytes;
    bool is_begun = false;
  };

  bool selects() const;
  PostgresChildOrder child_order(const std::string& place);
  Result<> fill();
  Result<> pass(PostgresFeeds& feeds, DumpPiece piece);
  Result<> begin(PostgresFeeds& feeds, const std::string& member, Held& held);
  Result<> note_left_out(const PostgresFeeds& feeds);
  Result<> give_what_is_its_own() const;
  bool must_end();
  bool still_works() const;
  Result<> drop_again() const;

  const PostgresDumpLimits& limits_;
  const RestoreOrder& order_;
  const std::string& globals_;
  const DumpSource& dump_;
  const std::atomic<bool>& ending_;
  PostgresArchive archive_;
  DumpPiece beginning_;  // Of the dump: what was read to look inside,
  DumpPiece next_;       // and what was read after it.
  std::string pg_restore_;
  std::string options_;  // Of the session it works in.
  PostgresSelection selection_;
  std::map<std::string, Held> held_;  // By member.
  RestoredDump restored_;
  bool is_made_ = false;
  std::optional<PostgresDisks> disks_;
  std::mutex ending_why_;  // Of the next: each pg_restore has a thread that asks.
  std::string shortage_;   // Why it was ended; "": it was not.
  std::chrono::steady_clock::time_point counts_from_{};  // Its files, again.
};

}  // namespace rowlock
