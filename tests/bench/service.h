// A `rowlock run` of its own, in a home of its own, and the stock sqlite3 shell that edits it.
#pragma once

#include "controller/store/database.h"

#include <cstdio>
#include <string>
#include <sys/types.h>

namespace rowlock::bench {

class Service {
 public:
  // Makes a home in a new folder and starts the binary that ROWLOCK_TEST_BINARY names on it.
  explicit Service(const std::string& endpoint);
  ~Service();  // Deletes all jobs, waits until their containers are gone, and ends everything.
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Gives a statement to a sqlite3 shell that stays open, and returns once it has committed.
  void edit(const std::string& sql);

  // The same, and waits until that revision is accepted and everything matches it.
  void edit_and_converge(const std::string& sql);

  // The first column of the first row of a query on state.db, as text.
  std::string value(const std::string& query);

  // Deletes the jobs whose names are like this and all routes, with the approval that takes, and
  // waits until nothing of them is left.
  void delete_jobs(const std::string& like);

  // Waits until the query on state.db returns no row. Stops the program after two minutes.
  void await_none(const std::string& query);

  std::string home_id();
  const std::string& folder() const { return folder_; }
  pid_t process() const { return process_; }
  void stop();   // The controller alone; what runs goes on.
  void kill();   // The same, without asking it.
  void start();  // One that was stopped.

 private:
  std::string folder_;
  std::string binary_;
  pid_t process_ = -1;
  pid_t shell_ = -1;
  FILE* to_shell_ = nullptr;
  FILE* from_shell_ = nullptr;
};

}  // namespace rowlock::bench
