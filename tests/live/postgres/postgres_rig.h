// A real PostgreSQL of the test's own, in a folder that goes away: over TCP a password is asked
// for, over its socket anybody is let in. It dies with the test, whatever becomes of that.
#pragma once

#include "controller/ports/postgres.h"
#include "tests/live/rowlock/rowlock_child.h"
#include "tests/store/files.h"

#include <memory>
#include <string>
#include <string_view>

struct pg_conn;  // libpq's PGconn

namespace rowlock {

class PostgresRig {
 public:
  PostgresRig();  // Skips the test where PostgreSQL is not installed.
  // A standby of that one, with all that it holds by now.
  static std::unique_ptr<PostgresRig> standby_of(const PostgresRig& primary);
  ~PostgresRig();
  PostgresRig(const PostgresRig&) = delete;
  PostgresRig& operator=(const PostgresRig&) = delete;

  // Over TCP, as the superuser or as `admin`, who has CREATEROLE and nothing else.
  PostgresAddress as_superuser() const { return as("postgres", kSuperuserPassword); }
  PostgresAddress as_admin() const { return as("admin", kAdminPassword); }
  PostgresAddress as(const std::string& user, std::string_view password,
                     const std::string& database = "app") const;

  // As a client sees it, over TCP: the first cell of the answer, or "!" and what went wrong.
  std::string ask_as(const std::string& user, const std::string& password,
                     const std::string& query) const;
  // As the superuser, over the socket.
  std::string ask(const std::string& query, const std::string& database = "app") const;
  bool can_log_in(const std::string& user, const std::string& password) const;

  // Between them it takes connections and says nothing; those that there are it goes on to serve.
  void freeze() const;
  void thaw() const;
  void stop();  // With all its sessions.
  void start();
  std::string log() const;  // Every statement and every refusal so far.
  int port() const { return port_; }
  std::string socket_folder() const { return folder_ / "socket"; }
  std::string data_folder() const { return folder_ / "data"; }

 private:
  static constexpr char kSuperuserPassword[] = "Superuser0Password";
  static constexpr char kAdminPassword[] = "Admin0Password";

  enum class Empty {};
  explicit PostgresRig(Empty);

  void make_folders();
  void make_cluster();

  std::string programs_;
  TempFolder folder_;
  int port_ = 0;
  std::unique_ptr<rowlock_live::Child> server_;
};

// A connection of somebody else's, open until this goes.
class PostgresClient {
 public:
  // `host` may be the folder of a socket.
  PostgresClient(const std::string& host, int port, const std::string& user,
                 const std::string& password, const std::string& database);
  ~PostgresClient();
  PostgresClient(const PostgresClient&) = delete;
  PostgresClient& operator=(const PostgresClient&) = delete;

  bool is_connected() const;
  std::string ask(const std::string& query);  // As PostgresRig::ask_as().

 private:
  pg_conn* handle_;
};

}  // namespace rowlock
