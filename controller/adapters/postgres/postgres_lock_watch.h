// Who keeps a session waiting for a lock: looked at from another session, once it has waited for
// seconds, and said in a sentence.
#pragma once

#include "controller/adapters/postgres/postgres_connection.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace rowlock {

class PostgresLockWatch {
 public:
  // Watches until it goes. `tell` may be empty, and is called from a thread of its own. The address
  // outlives this.
  PostgresLockWatch(const PostgresAddress& server, const PostgresDeadlines& deadlines, int session,
                    std::function<void(const std::string&)> tell);
  ~PostgresLockWatch();
  PostgresLockWatch(const PostgresLockWatch&) = delete;
  PostgresLockWatch& operator=(const PostgresLockWatch&) = delete;

  // What was seen last, and what ends it; both "": it was not seen to wait.
  struct Seen {
    std::string sentence;
    std::string hint;
  };
  Seen seen() const;

 private:
  void watch();
  bool ends_within(int ms);
  void look(PostgresConnection& connection);

  const PostgresAddress& server_;
  const PostgresDeadlines deadlines_;
  const int session_;
  const std::function<void(const std::string&)> tell_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  bool is_ending_ = false;
  Seen seen_;
  std::thread thread_;
};

}  // namespace rowlock
