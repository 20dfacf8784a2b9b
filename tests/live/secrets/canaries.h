// Values of our own, the canaries, that are sent through Rowlock and then looked for wherever they
// must not be: plain, in base64 wherever it may have begun, in hex. Half of one is enough.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace rowlock_live {

// Any thread may ask.
class Canaries {
 public:
  std::string next();
  // Which one the text holds, and how: "number 3, as base64+1". Empty: none.
  std::string found_in(std::string_view text) const;

 private:
  mutable std::mutex mutex_;
  int count_ = 0;
  std::map<std::string, std::string, std::less<>> forms_;  // Which each of them is.
};

// The processes of this machine that show one in their arguments or their environment, a line each.
// Those in another mount namespace are the workloads; `inside` says which of the two is looked at.
std::string processes_that_show(const Canaries& canaries, bool inside);

// The parts of a process's memory that hold one, a line each. Throws when it cannot be read.
std::string memory_that_holds(const Canaries& canaries, pid_t process);

// The same of a core that root has made of it with gcore, which is removed again; the kernel makes
// none. Throws when none was made. `core`: where it may lie meanwhile.
std::string core_that_holds(const Canaries& canaries, pid_t process, const std::string& core);
bool cores_can_be_made();

// The files of a folder, and of the folders in it, that hold one, a line each.
std::string files_that_hold(const Canaries& canaries, const std::string& folder);

// Looks at the processes again and again, for those that live for a moment.
class ProcessWatch {
 public:
  explicit ProcessWatch(const Canaries& canaries);
  ~ProcessWatch() { finish(); }
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  std::string finish();  // What was seen first; empty: nothing.
  int looks() const { return looks_; }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<int> looks_ = 0;
  std::string seen_;
  std::thread thread_;
};

}  // namespace rowlock_live
