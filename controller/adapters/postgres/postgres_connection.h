// One connection to a PostgreSQL server, bounded in time, and the one place that knows libpq.
#pragma once

#include "controller/adapters/postgres/postgres_error.h"
#include "controller/ports/postgres.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

struct pg_conn;    // libpq's PGconn
struct pg_result;  // libpq's PGresult

namespace rowlock {

struct PostgresDeadlines {
  std::int64_t connect_ms = 5000;
  std::int64_t statement_ms = 15'000;
  std::int64_t call_ms = 60'000;  // All of one call's statements together.
};

using PostgresRow = std::vector<std::string>;  // NULL reads as "".

struct PostgresAnswer {
  std::vector<PostgresRow> rows;
  bool has_more_rows = false;  // Than are kept.
  PostgresRefusal refusal;     // Its sqlstate is empty when all went well.

  bool is_refused() const { return !refusal.sqlstate.empty(); }
};

class PostgresConnection {
 public:
  // Looking up a host's name is libpq's own and blocks as long as the system's resolver does, which
  // no deadline bounds; everything after it is bounded.
  // Everything is given up within a second once `must_end` says so, if there is one: Cause::other.
  static Result<std::unique_ptr<PostgresConnection>> open(const PostgresAddress& server,
                                                          const PostgresDeadlines& deadlines,
                                                          std::function<bool()> must_end = {});
  ~PostgresConnection();  // Ends the transaction that is open, if any, undoing it.
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  // One statement with values for $1, $2 …, or without values any number, separated by ';'. What
  // the server refuses is in the answer. An error has Cause::deadline, for then nobody knows
  // whether it was done, and nothing more may be asked.
  Result<PostgresAnswer> ask(const std::string& text, const std::vector<std::string>& values = {});

  // Just one statement, whoever wrote it, that may not be more than one; its first row alone is
  // kept.
  Result<PostgresAnswer> ask_one(const std::string& statement);

  // How long each statement may take from now on.
  Result<> set_statement_ms(std::int64_t statement_ms);

  // What one of PostgreSQL's own programs must be told, in connection_text(), so that it works as
  // this session does whatever somebody has set for its user or database: "" when that is nothing.
  Result<std::string> options_for_programs();

  bool is_in_transaction() const;

  // What the server keeps in place of the password: worked out here, so that it never sees that.
  Result<std::string> scram_verifier(const std::string& name, const SecretBytes& password) const;

  const std::string& place() const { return place_; }  // HOST:PORT/DATABASE
  const std::string& user() const { return user_; }
  bool is_to_this_machine() const;   // Over a socket or loopback.
  int session() const;               // Its number at the server.
  int server_version() const;        // 150016 is 15.16.
  std::string version_text() const;  // "15.16"

 private:
  using Moment = std::chrono::steady_clock::time_point;

  PostgresConnection(pg_conn* handle, const PostgresDeadlines& deadlines,
                     std::function<bool()> must_end);

  Result<> connect(bool has_password);
  Result<> begin_session();
  Result<PostgresAnswer> take_all(bool is_sent, std::size_t rows_max);
  Result<> await_answer(Moment until);
  Result<> await_events(short events, short& came, Moment until) const;
  void take(const pg_result& result, std::size_t rows_max, PostgresAnswer& answer) const;
  Error connect_failure(bool has_password) const;
  Error lost(const PostgresRefusal& last_words) const;

  pg_conn* handle_;
  PostgresDeadlines deadlines_;
  std::function<bool()> must_end_;
  Moment call_ends_;
  std::string place_;
  std::string user_;
};

// How PostgreSQL's own programs reach what the url says, as KEY='VALUE' …, without a password; with
// another database of that server when one is named, and with more options, which go before those
// of the url. Rejected when the url is not one to be used.
Result<std::string> connection_text(const std::string& url, const std::string& database,
                                    const std::string& more);

// Takes the variables that libpq would heed out of this process's environment, so that how a server
// is reached is said by its address alone. Requires: no other thread reads the environment.
void forget_libpq_environment();

}  // namespace rowlock
