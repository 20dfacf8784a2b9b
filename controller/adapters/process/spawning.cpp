// By posix_spawn, which does between fork and exec only what is listed to it: with many threads
// about, code of ours must not run there.
#include "controller/adapters/process/spawning.h"

#include <csignal>
#include <fcntl.h>
#include <unistd.h>

namespace rowlock {

namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

}  // namespace

Spawning::Spawning() {
  ::posix_spawn_file_actions_init(&files_);
  ::posix_spawnattr_init(&attributes_);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes_, &none);
  ::posix_spawnattr_setsigdefault(&attributes_, &all);
  ::posix_spawnattr_setpgroup(&attributes_, 0);
  ::posix_spawnattr_setflags(
      &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

Spawning::~Spawning() {
  ::posix_spawn_file_actions_destroy(&files_);
  ::posix_spawnattr_destroy(&attributes_);
}

void Spawning::place(int from, int to) {
  if (from >= 0) {
    ::posix_spawn_file_actions_adddup2(&files_, from, to);
  } else {
    ::posix_spawn_file_actions_addopen(&files_, to, "/dev/null", O_RDWR, 0);
  }
  first_foreign_ = to + 1;
}

int Spawning::start(const std::vector<std::string>& command,
                    const std::vector<std::string>* variables, pid_t* process) {
  ::posix_spawn_file_actions_addclosefrom_np(&files_, first_foreign_);
  const std::vector<char*> words = pointers(command);
  const std::vector<char*> settings =
      variables == nullptr ? std::vector<char*>{} : pointers(*variables);
  return ::posix_spawn(process, words[0], &files_, &attributes_, words.data(),
                       variables == nullptr ? environ : settings.data());
}

}  // namespace rowlock
