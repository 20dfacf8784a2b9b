// A door to a real engine that can be jammed: the product speaks to it as to the engine itself, and
// requests hang in it for as long as the test wants them to.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rowlock_live {

class StandInEngine {
 public:
  // Listens on a socket in `folder`, and passes everything on to `endpoint` (unix:///…).
  StandInEngine(const std::string& folder, const std::string& endpoint);
  ~StandInEngine();
  StandInEngine(const StandInEngine&) = delete;
  StandInEngine& operator=(const StandInEngine&) = delete;

  std::string endpoint() const { return "unix://" + path_; }

  // Requests whose first line contains this hang until it is changed; empty: none does.
  void hang_on(const std::string& part);
  // Nothing passes in either direction.
  void hang_altogether(bool hangs) { hangs_altogether_ = hangs; }
  int hung() const { return hung_; }  // How many requests wait.

 private:
  void accept_all();
  void serve(int client);
  bool hangs(const std::string& bytes);

  std::string path_;
  std::string engine_path_;
  int listener_ = -1;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> hangs_altogether_ = false;
  std::atomic<int> hung_ = 0;
  std::mutex mutex_;
  std::string part_;                  // Guarded by mutex_.
  std::vector<std::thread> servers_;  // Touched by the accepting thread, then by the destructor.
  std::thread acceptor_;
};

}  // namespace rowlock_live
