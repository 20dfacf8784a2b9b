// Child processes, by hand: the bench needs two, and nothing of theirs but pipes.
#include "tests/bench/service.h"

#include "tests/bench/bare_engine.h"
#include "tests/bench/samples.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace rowlock::bench {

namespace {

constexpr double kPatienceMs = 120'000;

void end(pid_t process, int signal = SIGTERM) {
  if (process > 0) {
    ::kill(process, signal);
    waitpid(process, nullptr, 0);
  }
}

}  // namespace

Service::Service(const std::string& endpoint) {
  const char* binary = std::getenv("ROWLOCK_TEST_BINARY");
  if (binary == nullptr) {
    give_up("ROWLOCK_TEST_BINARY is not set: run `make bench`");
  }
  binary_ = binary;
  char name[] = "/tmp/rowlock-bench-XXXXXX";
  if (mkdtemp(name) == nullptr) {
    give_up(std::string("mkdtemp: ") + std::strerror(errno));
  }
  folder_ = name;
  setenv("DOCKER_HOST", endpoint.c_str(), 1);
  setenv("ROWLOCK_HOME", folder_.c_str(), 1);
  if (std::system((binary_ + " init >/dev/null").c_str()) != 0) {
    give_up("rowlock init failed");
  }
  start();
  int to[2];
  int from[2];
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) {
    give_up("pipe");
  }
  shell_ = fork();
  if (shell_ == 0) {
    dup2(to[0], 0);
    dup2(from[1], 1);
    execlp("sqlite3", "sqlite3", "-bail", (folder_ + "/desired.db").c_str(), nullptr);
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  to_shell_ = fdopen(to[1], "w");
  from_shell_ = fdopen(from[0], "r");
}

void Service::start() {
  process_ = fork();
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);  // Also when the bench gives up.
    const int log = open((folder_ + "/run.log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, 2);
    execl(binary_.c_str(), binary_.c_str(), "run", nullptr);
    _exit(127);
  }
  await_none("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM node_state WHERE reach = 'reached')");
}

void Service::stop() {
  end(process_);
  process_ = -1;
}

void Service::kill() {
  end(process_, SIGKILL);
  process_ = -1;
}

void Service::edit_and_converge(const std::string& sql) {
  const std::string before = value("SELECT max(id) FROM revision");
  edit(sql);
  await_none("SELECT 1 WHERE (SELECT max(id) FROM revision) = " + before +
             " OR EXISTS (SELECT 1 FROM status WHERE state <> 'converged')");
}

std::string Service::value(const std::string& query) {
  auto state = Database::open(folder_ + "/state.db", Database::Mode::read_only);
  if (!state.ok()) {
    give_up(state.error().message);
  }
  Database database = std::move(state).value();
  auto found = database.scalar(query);
  if (!found.ok()) {
    give_up(query + ": " + found.error().message);
  }
  return text_of(found.value());
}

Service::~Service() {
  if (process_ < 0) {
    start();
  }
  delete_jobs("%");
  end(process_);
  std::fclose(to_shell_);
  std::fclose(from_shell_);
  waitpid(shell_, nullptr, 0);
  std::filesystem::remove_all(folder_);
}

void Service::edit(const std::string& sql) {
  std::fprintf(to_shell_, "%s;\n.print done\n", sql.c_str());
  std::fflush(to_shell_);
  char line[200];
  if (std::fgets(line, sizeof line, from_shell_) == nullptr || std::strcmp(line, "done\n") != 0) {
    give_up("the sqlite3 shell refused: " + sql);
  }
}

void Service::delete_jobs(const std::string& like) {
  const std::string revision = value("SELECT max(id) FROM revision");
  std::string approvals;
  for (const char* table : {"job", "route", "route_header"}) {
    approvals += (approvals.empty() ? "(" : ", (") + revision + ", '" + table + "', 100000)";
  }
  edit("BEGIN; INSERT OR REPLACE INTO approval (revision, table_name, deletes) VALUES " +
       approvals + "; DELETE FROM route; DELETE FROM job WHERE name LIKE '" + like + "'; COMMIT;");
  await_none("SELECT 1 FROM instance WHERE job LIKE '" + like + "'");
  await_none("SELECT 1 FROM proxy_state WHERE reach = 'reached'");
}

void Service::await_none(const std::string& query) {
  const Moment from = now();
  while (ms_between(from, now()) < kPatienceMs) {
    auto state = Database::open(folder_ + "/state.db", Database::Mode::read_only);
    if (state.ok()) {
      Database database = std::move(state).value();
      auto rows = database.query(query);
      if (rows.ok() && rows.value().empty()) {
        return;
      }
    }
    // Looking takes the machine some time as well.
    const bool is_long = ms_between(from, now()) > 300;
    std::this_thread::sleep_for(std::chrono::milliseconds(is_long ? 50 : 5));
  }
  give_up("this did not come to an end within two minutes: " + query);
}

std::string Service::home_id() { return value("SELECT id FROM home"); }

}  // namespace rowlock::bench
