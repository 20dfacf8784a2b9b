// A tiny HTTP server in the test's own process: it says who it is and what it was asked, and holds
// requests whose path has "slow" in it until it is told to let go. One whose path has "drop" in it
// is counted and gets no answer.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rowlock {

class WebServer {
 public:
  explicit WebServer(std::string name);
  ~WebServer();
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  int port() const { return port_; }

  void wait_until_held(int count);  // Fails the test after a while.
  int dropped();
  void let_go();  // Of all that are held, and of those that come later.

 private:
  void serve();
  void answer(int connection);

  std::string name_;
  int listener_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  int held_ = 0;  // Guarded by mutex_, as is what follows.
  int dropped_ = 0;
  bool holds_ = true;
  std::vector<int> open_;
  std::vector<std::thread> answering_;
  std::thread thread_;  // Last: it uses all of these.
};

// One on which nobody listens at the moment.
int free_port();

}  // namespace rowlock
