// The whole product against a real engine: a home in a folder of its own, `rowlock run` on it as a
// child process, and the engineer's side of both files. Whatever the test does, the controller ends
// and every container of the home is removed when a LiveHome goes away. That is why a wish that
// does not come true is thrown and not asserted: Criterion's assertions skip destructors.
#pragma once

#include "controller/adapters/docker/docker.h"
#include "controller/store/home.h"
#include "tests/live/rowlock/rowlock_child.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rowlock_live {

constexpr char kImage[] = "rowlock-test:1";  // busybox
constexpr char kOtherArchImage[] = "rowlock-test-other-arch:1";
constexpr int kPatienceS = 60;  // On a machine that does other things as well.

// ROWLOCK_TEST_DOCKER; skips the test where it names no engine, or no rowlock is there to run.
std::string engine_endpoint();

// Throws the message when it is not so.
void require(bool is_so, const std::string& message);

// Asks again and again until the answer is this one. Throws after `patience_s`, saying what `wish`
// was, what the answer was last, and what `more` tells.
void await_answer(const std::string& wish, const std::function<std::string()>& ask,
                  const std::string& expected, const std::function<std::string()>& more,
                  int patience_s = kPatienceS);

// INSERT of one row; the values are SQL expressions.
std::string insert_row(const std::string& table, const std::map<std::string, std::string>& row);

// INSERT of a job that sleeps and is killed without asking, with short times; `columns` (SQL
// expressions) add to that or take its place.
std::string insert_job(const std::string& name,
                       const std::map<std::string, std::string>& columns = {});

// A command, as an SQL string, that says `word` by HTTP on a port and ends when it is told to.
std::string web_command(const std::string& word, int port);

class LiveHome {
 public:
  // `folder`: an empty one to live in, which stays. Empty: one under /tmp that goes away.
  explicit LiveHome(const std::string& folder = "");
  ~LiveHome();
  LiveHome(const LiveHome&) = delete;
  LiveHome& operator=(const LiveHome&) = delete;

  // ---- The controller
  void start();
  void start_and_reach();  // Returns once the node `local` was looked at.
  int stop();              // SIGTERM. Returns the exit code.
  void kill();             // SIGKILL.
  int await_end();         // By itself. Returns the exit code.
  pid_t process() const { return controller_->process(); }
  std::string log() const;

  // ---- The engineer
  void edit(const std::string& sql);    // Returns once it is committed.
  void accept(const std::string& sql);  // Returns once it is in force.
  void accept_deletion(const std::string& sql, const std::string& table, int rows);
  std::string verb(const std::vector<std::string>& arguments, int* code = nullptr) const;

  // ---- What the controller says: rows of state.db, cells by '|', lines by '\n'.
  std::string state(const std::string& query) const;
  void await(const std::string& query, const std::string& expected, int patience_s = kPatienceS);
  void await_converged(const std::string& job);
  void await_why(const std::string& name, const std::string& part);
  std::string story() const;  // For a message: status, why, events, the log's end.

  // ---- What the engine says
  rowlock::DockerRuntime& runtime() { return runtime_; }
  rowlock::Json inspect(const std::string& container) const;
  std::vector<rowlock::Container> containers(const std::string& job = "");  // This home's.
  std::vector<rowlock::Container> running(const std::string& job);
  // The ids of what runs for a job with the moments at which it was started, sorted.
  std::string identity(const std::string& job);
  // So many run, one in each slot, and the engine holds what state.db says: besides those that
  // run, only the failed ones that are kept for `why`.
  void await_exactly(const std::string& job, int count);
  void forget_claim();  // As an engine that never heard of the home.
  // Any call: "POST", "/containers/x/pause". null where the answer has no body.
  rowlock::Json ask_engine(const std::string& method, const std::string& path) const;

  const std::string& folder() const { return home_.folder(); }
  std::string desired_path() const { return home_.desired_path(); }

 private:
  bool is_own_folder_;
  rowlock::Home home_;
  rowlock::DockerRuntime runtime_;
  std::string id_;
  std::unique_ptr<Child> controller_;
};

}  // namespace rowlock_live
