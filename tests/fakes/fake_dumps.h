// PostgreSQL servers with databases in memory, to be dumped, restored and compared. They answer as
// real ones do, which tests/conformance/ proves, and a test can break them. A row is one text, and
// of questions only SELECT count(*) FROM TABLE is understood, and what a test has said the answer
// to.
#pragma once

#include "controller/ports/database_dumps.h"
#include "controller/ports/member_writer.h"
#include "controller/ports/postgres.h"
#include "tests/fakes/fault_plan.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rowlock {

class FakeDumps final : public DatabaseDumps {
 public:
  using Rows = std::vector<std::string>;
  using Tables = std::map<std::string, Rows>;  // By name: public.pupil

  // -- What there is. A server is the part of a url before its database.
  void put_database(const std::string& server, const std::string& database, const Tables& tables);
  void remove_database(const std::string& server, const std::string& database);
  void put_rows(const std::string& server, const std::string& database, const std::string& table,
                const Rows& rows);
  void open_session(const std::string& server, const std::string& database);

  // -- How they behave.
  void set_away(const std::string& server, bool is_away = true);
  // Its dumps and facts fail half-way, as those of a table whose file is cut off.
  void set_broken(const std::string& server, const std::string& database, bool is_broken = true);
  void set_room(std::optional<std::int64_t> bytes);  // Nothing: it cannot be learned.
  void set_answer(const std::string& query, const std::string& answer);
  // Why there is no server of our own to restore into; empty: there is one.
  void set_missing_server(const std::string& hint);
  // What a restore leaves out, without a word: the last row of every table.
  void set_loses_rows(bool loses_rows);
  // A table whose rows the server does not take; empty: it takes all.
  void set_refused(const std::string& table);
  // Why there is no pg_dump for it; empty: there is one.
  void set_missing_program(const std::string& hint);
  // Asked once at the start of every call, with the method's name and the database's.
  void set_faults(
      std::function<FaultPlan(const std::string& call, const std::string& database)> faults);

  // -- For those who check.
  std::vector<std::string> databases(const std::string& server) const;  // Sorted.
  std::optional<Tables> tables(const std::string& server, const std::string& database) const;
  int sessions(const std::string& server, const std::string& database) const;
  std::vector<std::string> calls() const;  // "dump app", in their order.

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
  struct Database {
    Tables tables;
    int sessions = 0;
    bool is_broken = false;
  };
  using Server = std::map<std::string, Database>;
  class OwnServer;

  // Runs `act` on the server, unless a fault or a reason not to comes first.
  template <typename Act>
  auto attempt(const std::string& call, const PostgresAddress& address, const std::string& database,
               Act act) -> decltype(act(std::declval<Server&>()));
  static Result<> write_dump(const Database& database, int jobs, MemberWriter& members,
                             DumpFacts& facts, const std::atomic<bool>& ending);
  Result<RestoredDump> leave_out(const RestoreOrder& order, Tables& tables) const;
  Result<std::string> answer(const Database& database, const std::string& query) const;

  mutable std::mutex mutex_;
  std::map<std::string, Server> servers_;
  std::set<std::string> away_;
  std::optional<std::int64_t> room_;
  std::map<std::string, std::string> answers_;
  bool loses_rows_ = false;
  std::string refused_;
  std::string missing_program_;
  std::string missing_server_;
  std::vector<std::string> calls_;
  std::function<FaultPlan(const std::string&, const std::string&)> faults_;
};

}  // namespace rowlock
