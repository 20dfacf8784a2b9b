// A PostgreSQL server refuses to run as root, so as root everything is done by way of the user
// postgres; the server is told to die with the test.
#include "tests/live/postgres/postgres_rig.h"

#include "controller/adapters/process/command.h"
#include "tests/live/haproxy/haproxy_rig.h"

#include <criterion/criterion.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <libpq-fe.h>
#include <map>
#include <stdexcept>
#include <unistd.h>
#include <vector>

namespace rowlock {

namespace {

namespace fs = std::filesystem;

constexpr char kVersions[] = "/usr/lib/postgresql";
constexpr char kServersUser[] = "postgres";
constexpr std::int64_t kCommandMs = 60'000;
constexpr int kEndS = 20;

// Of the newest version; empty: none is installed.
std::string newest_programs() {
  std::error_code ignored;
  std::map<int, std::string> found;
  for (const auto& each : fs::directory_iterator(kVersions, ignored)) {
    const std::string programs = each.path().string() + "/bin";
    if (fs::exists(programs + "/postgres", ignored) && fs::exists(programs + "/initdb", ignored)) {
      found[std::atoi(each.path().filename().c_str())] = programs;
    }
  }
  return found.empty() ? "" : found.rbegin()->second;
}

bool is_root() { return ::geteuid() == 0; }

// A server refuses to run as root, and whoever changes the user must ask for the signal at our
// death anew.
std::vector<std::string> as_servers_user(std::vector<std::string> command) {
  if (!is_root()) return command;
  command.insert(command.begin(), {program_path("setpriv"), "--reuid", kServersUser, "--regid",
                                   kServersUser, "--init-groups", "--pdeathsig", "QUIT", "--"});
  return command;
}

void must_run(const std::vector<std::string>& command) {
  const auto ran = run_command(command, kCommandMs);
  must(ran);
  cr_assert(ran.value().exit_code == 0, "%s", ran.value().output.c_str());
}

}  // namespace

// ---- The server --------------------------------------------------------------------------------

PostgresRig::PostgresRig(Empty) : programs_(newest_programs()), port_(free_port()) {
  if (programs_.empty()) cr_skip_test("PostgreSQL is not installed");
  if (is_root() && program_path("setpriv").empty()) cr_skip_test("there is no setpriv");
  make_folders();
}

PostgresRig::PostgresRig() : PostgresRig(Empty{}) {
  make_cluster();
  start();
  for (const char* statement : {"CREATE DATABASE app", "CREATE DATABASE other",
                                "CREATE ROLE admin LOGIN CREATEROLE PASSWORD 'Admin0Password'"}) {
    const std::string said = ask(statement, "postgres");
    cr_assert(said.empty(), "%s: %s", statement, said.c_str());
  }
}

std::unique_ptr<PostgresRig> PostgresRig::standby_of(const PostgresRig& primary) {
  std::unique_ptr<PostgresRig> standby(new PostgresRig(Empty{}));
  must_run(as_servers_user(
      {standby->programs_ + "/pg_basebackup", "--pgdata=" + standby->data_folder(),
       "--host=" + primary.socket_folder(), "--port=" + std::to_string(primary.port()),
       "--username=postgres", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"}));
  standby->start();
  return standby;
}

PostgresRig::~PostgresRig() {
  if (server_ == nullptr) return;
  thaw();
  stop();
}

void PostgresRig::make_folders() {
  fs::permissions(folder_.path(), fs::perms{0755});
  for (const char* name : {"data", "socket"}) {
    fs::create_directory(folder_ / name);
    fs::permissions(folder_ / name, fs::perms{0700});
    if (!is_root()) continue;
    must_run({program_path("chown"), std::string(kServersUser) + ":", folder_ / name});
  }
}

void PostgresRig::make_cluster() {
  write(folder_ / "password", kSuperuserPassword);
  fs::permissions(folder_ / "password", fs::perms{0644});
  must_run(as_servers_user({programs_ + "/initdb", "-D", folder_ / "data", "-U", kServersUser,
                            "--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256",
                            "--locale=C.UTF-8", "--encoding=UTF8",
                            "--pwfile=" + (folder_ / "password")}));
}

void PostgresRig::start() {
  std::vector<std::string> command = {programs_ + "/postgres", "-D", folder_ / "data"};
  for (const std::string& setting :
       {std::string("listen_addresses=127.0.0.1"), "port=" + std::to_string(port_),
        "unix_socket_directories=" + socket_folder(), std::string("fsync=off"),
        std::string("shared_buffers=8MB"), std::string("log_statement=all")}) {
    command.insert(command.end(), {"-c", setting});
  }
  server_ = std::make_unique<rowlock_live::Child>(as_servers_user(command), folder_ / "log");
  cr_assert(eventually([&] { return ask("SELECT 1", "postgres") == "1"; }), "%s", log().c_str());
}

void PostgresRig::stop() {
  server_->signal(SIGQUIT);  // At once, its children too.
  try {
    server_->await_end(kEndS);
  } catch (const std::runtime_error&) {
    cr_log_error("PostgreSQL does not end");  // It is killed as it goes.
  }
  server_.reset();
}

void PostgresRig::freeze() const { server_->signal(SIGSTOP); }
void PostgresRig::thaw() const { server_->signal(SIGCONT); }
std::string PostgresRig::log() const { return rowlock_live::file_text(folder_ / "log"); }

// ---- Those who use it --------------------------------------------------------------------------

PostgresAddress PostgresRig::as(const std::string& user, std::string_view password,
                                const std::string& database) const {
  return {"postgresql://" + user + "@127.0.0.1:" + std::to_string(port_) + "/" + database,
          std::make_shared<const SecretBytes>(password)};
}

std::string PostgresRig::ask_as(const std::string& user, const std::string& password,
                                const std::string& query) const {
  return PostgresClient("127.0.0.1", port_, user, password, "app").ask(query);
}

std::string PostgresRig::ask(const std::string& query, const std::string& database) const {
  return PostgresClient(socket_folder(), port_, kServersUser, "", database).ask(query);
}

bool PostgresRig::can_log_in(const std::string& user, const std::string& password) const {
  return ask_as(user, password, "SELECT current_user") == user;
}

PostgresClient::PostgresClient(const std::string& host, int port, const std::string& user,
                               const std::string& password, const std::string& database) {
  const std::string number = std::to_string(port);
  const char* names[] = {"host", "port", "user", "dbname", "password", "connect_timeout", nullptr};
  const char* values[] = {host.c_str(),     number.c_str(), user.c_str(), database.c_str(),
                          password.c_str(), "10",           nullptr};
  handle_ = PQconnectdbParams(names, values, 0);
  PQsetNoticeReceiver(
      handle_, [](void*, const PGresult*) {}, nullptr);
}

PostgresClient::~PostgresClient() { PQfinish(handle_); }

bool PostgresClient::is_connected() const { return PQstatus(handle_) == CONNECTION_OK; }

std::string PostgresClient::ask(const std::string& query) {
  if (!is_connected()) return std::string("!") + PQerrorMessage(handle_);
  PGresult* const result = PQexec(handle_, query.c_str());
  const ExecStatusType status = PQresultStatus(result);
  std::string text;
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    text = std::string("!") + PQerrorMessage(handle_);
  } else if (PQntuples(result) > 0) {
    text = PQgetvalue(result, 0, 0);
  }
  PQclear(result);
  return text;
}

}  // namespace rowlock
