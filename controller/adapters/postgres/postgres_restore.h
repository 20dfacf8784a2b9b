// One restore on its way: the steps that PostgresDumps::restore() is made of.
#pragma once

#include "controller/adapters/postgres/postgres_archive.h"
#include "controller/adapters/postgres/postgres_connection.h"
#include "controller/adapters/postgres/postgres_disks.h"
#include "controller/adapters/postgres/postgres_dump.h"

#include <atomic>
#include <chrono>
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
      : limits_(limits), order_(order), globals_(globals), dump_(dump), ending_(ending) {}

  // Requires: called once.
  Result<> run();

 private:
  Result<std::unique_ptr<PostgresConnection>> connect(bool heeds_ending) const;
  Result<> look_inside();
  Result<> make_room();
  Result<> fill();
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
  bool is_made_ = false;
  std::optional<PostgresDisks> disks_;
  std::mutex ending_why_;  // Of the next: each pg_restore has a thread that asks.
  std::string shortage_;   // Why it was ended; "": it was not.
  std::chrono::steady_clock::time_point counts_from_{};  // Its files, again.
};

}  // namespace rowlock
