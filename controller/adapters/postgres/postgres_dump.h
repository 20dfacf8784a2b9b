// Databases of PostgreSQL servers: dumped, restored and compared, through libpq and through
// PostgreSQL's own programs. What each call does is said in ports/database_dumps.h.
//
// A dump is two things at the same time, both of one snapshot: pg_dump writes the database, and a
// second session reads it again and says what is in it. So what is said of a backup is not what its
// own dump holds, but what the database held.
#pragma once

#include "controller/adapters/postgres/postgres_connection.h"
#include "controller/adapters/postgres/postgres_program.h"
#include "controller/ports/database_dumps.h"
#include "controller/ports/member_writer.h"
#include "controller/ports/postgres.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

struct PostgresDumpLimits {
  std::int64_t connect_ms = 5000;
  std::int64_t statement_ms = 60'000;     // Of a question that reads no table.
  std::int64_t stall_ms = 600'000;        // Of what reads or writes tables: without any progress.
  std::vector<std::string> folders = {};  // Of PostgreSQL's programs; none: where they usually are.
  // Whether tables are read again to say what is in them. Without it a dump says nothing of them:
  // for measuring what that costs.
  bool reads_content = true;
};

class PostgresDumps final : public DatabaseDumps {
 public:
  // Requires: no other thread reads the environment while this is made.
  explicit PostgresDumps(PostgresDumpLimits limits = {});

  // A table is dumped by one job from its beginning to its end: pg_dump cannot do with less.
  Result<DumpFacts> dump(const PostgresAddress& database, int jobs, MemberWriter& members,
                         const std::atomic<bool>& ending, const TellWait& waits = {}) override;
  Result<RestoredDump> restore(const RestoreOrder& order, const std::string& globals,
                               const DumpSource& dump, const std::atomic<bool>& ending) override;
  Result<DatabaseFacts> facts(const PostgresAddress& database,
                              const std::atomic<bool>& ending) override;
  Result<std::vector<ServerDatabase>> list(const PostgresAddress& server) override;
  Result<std::optional<ServerRoom>> room(const PostgresAddress& server) override;
  Result<std::unique_ptr<ScratchServer>> scratch(const ScratchOrder& order,
                                                 const std::atomic<bool>& ending) override;
  Result<> drop(const PostgresAddress& server, const std::string& database) override;
  Result<> rename(const PostgresAddress& server, const std::string& from, const std::string& to,
                  const std::string& aside) override;
  Result<std::string> ask(const PostgresAddress& database, const std::string& query) override;

 private:
  template <typename Act>
  auto connected(const PostgresAddress& server, const std::string& attempt, Act act)
      -> decltype(act(std::declval<PostgresConnection&>()));

  PostgresDumpLimits limits_;
};

}  // namespace rowlock
