// One dump on its way: the steps that PostgresDumps::dump() is made of.
#pragma once

#include "controller/adapters/postgres/postgres_archive.h"
#include "controller/adapters/postgres/postgres_child.h"
#include "controller/adapters/postgres/postgres_connection.h"
#include "controller/adapters/postgres/postgres_content.h"
#include "controller/adapters/postgres/postgres_dump.h"
#include "controller/adapters/postgres/postgres_parts.h"
#include "controller/ports/streams.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace rowlock {

class PostgresDumpRun {
 public:
  // All of them outlive this.
  PostgresDumpRun(const PostgresDumpLimits& limits, const PostgresAddress& address, int jobs,
                  MemberWriter& members, const std::atomic<bool>& ending, const TellWait& waits);

  // Requires: called once.
  Result<DumpFacts> run();

  // HOST:PORT/DATABASE, once it was connected.
  std::string place() const { return connection_ == nullptr ? "a database" : connection_->place(); }

 private:
  Result<> prepare();
  Result<> expect_connections();
  Result<> connect();
  Result<> hold_tables();
  Result<DatabaseFacts> dump_once();
  bool is_worth_another_try() const;
  Result<> write_members(const std::string& snapshot);
  Result<> dump_globals();
  Result<> dump_whole(const std::string& snapshot);
  Result<> dump_parts(const std::string& snapshot);
  Result<> dump_data(std::vector<std::unique_ptr<PostgresChild>>& children);
  Result<std::unique_ptr<PostgresChild>> start(std::vector<std::string> words) const;
  Result<> pass_on(const std::string& member, PostgresChild& child, PostgresArchive* archive);
  Result<> pass_pieces(const std::string& member, PostgresChild& child, PostgresArchive* archive);
  static Result<> pass_all(PostgresChild& child, PostgresArchive* archive, const Sink& sink);
  std::vector<std::string> command(const PostgresProgram& program) const;
  std::vector<std::string> dump_command(const std::string& snapshot) const;
  void correct_sequences(DatabaseFacts& facts) const;

  const PostgresDumpLimits& limits_;
  const PostgresAddress& address_;
  const int jobs_;
  MemberWriter& members_;
  const std::atomic<bool>& caller_ends_;
  const TellWait& waits_;
  std::atomic<bool> ending_{false};  // The caller's wish, or one of the two has failed.
  std::string server_;               // For the programs: how it is reached,
  std::string encoding_;             // how text is encoded there,
  bool has_foreign_parts_ = false;   // and whether partitions of a table lie elsewhere.
  PostgresProgram pg_dump_;
  PostgresProgram pg_dumpall_;
  std::unique_ptr<PostgresConnection> connection_;
  std::unique_ptr<PostgresContent> content_;
  PostgresArchive archive_;          // Of what has the sequences.
  std::vector<PostgresPart> parts_;  // Of the data; none: it is dumped as one.
  std::mutex writing_;               // Of the members, and dump_bytes_, while there are several.
  std::string database_;
  bool may_read_passwords_ = false;
  std::string catalog_;  // What it was when the tables were locked.
  std::string open_;     // The member that is.
  std::int64_t dump_bytes_ = 0;
};

}  // namespace rowlock
