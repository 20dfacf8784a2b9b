// How programs are started: with nothing of ours but what is placed, no signal blocked or ignored,
// and a process group of their own. libuv's workers block all signals, and a daemon that inherited
// that could not be ended.
#pragma once

#include <spawn.h>
#include <string>
#include <sys/types.h>
#include <vector>

namespace rowlock {

class Spawning {
 public:
  Spawning();
  ~Spawning();
  Spawning(const Spawning&) = delete;
  Spawning& operator=(const Spawning&) = delete;

  // Our `from` is the program's `to`; -1: /dev/null. In ascending order of `to`; what is not placed
  // is closed.
  void place(int from, int to);

  // 0, or an errno. `variables` null: the environment that this process has.
  int start(const std::vector<std::string>& command, const std::vector<std::string>* variables,
            pid_t* process);

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
  int first_foreign_ = 0;
};

}  // namespace rowlock
