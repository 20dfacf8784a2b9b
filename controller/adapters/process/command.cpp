// The program's end counts and not that of its pipe, which a daemon that it started may hold open
// for ever; so both are polled for.
#include "controller/adapters/process/command.h"

#include "controller/adapters/process/process_handle.h"
#include "controller/adapters/process/spawning.h"
#include "controller/base/own_trouble.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace rowlock {

namespace {

constexpr std::size_t kOutputBytesMax = 64 * 1024;

Error failure(const std::string& program, const std::string& what, int code) {
  if (is_own_trouble(code)) return own_trouble(program + ": " + what, code);
  return Error{Fault::broken, Cause::other, program + ": " + what + ": " + std::strerror(code), ""};
}

// Closes on scope's end.
struct Fd {
  explicit Fd(int number) : fd(number) {}
  ~Fd() {
    if (fd >= 0) ::close(fd);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  int fd;
};

// Takes what is there now. False once every writer has closed.
bool take_output(int pipe, std::string& output) {
  char buffer[4096];
  while (true) {
    const ssize_t count = ::read(pipe, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0;
    output.append(buffer, static_cast<std::size_t>(count));
    if (output.size() > 2 * kOutputBytesMax) output.erase(0, output.size() - kOutputBytesMax);
  }
}

// False when the deadline came first. The end of the process counts, not that of the pipe: a daemon
// may hold that open for ever.
bool reached_its_end(int process, int pipe, std::int64_t deadline_ms, std::string& output) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(deadline_ms);
  pollfd wanted[] = {{process, POLLIN, 0}, {pipe, POLLIN, 0}};
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    if (::poll(wanted, 2, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000))) < 0 &&
        errno != EINTR) {
      return false;
    }
    if (wanted[1].revents != 0 && !take_output(pipe, output)) wanted[1].fd = -1;
    if (wanted[0].revents != 0) {
      if (wanted[1].fd >= 0) take_output(pipe, output);
      return true;
    }
  }
}

int exit_code(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<CommandResult> run_command(const std::vector<std::string>& argv, std::int64_t deadline_ms) {
  CHECK(!argv.empty());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failure(argv[0], "make a pipe", errno);
  const Fd reading(ends[0]);
  pid_t process = -1;
  {
    const Fd writing(ends[1]);
    ::fcntl(reading.fd, F_SETFL, O_NONBLOCK);
    Spawning spawning;
    spawning.place(-1, STDIN_FILENO);
    spawning.place(writing.fd, STDOUT_FILENO);
    spawning.place(writing.fd, STDERR_FILENO);
    if (const int code = spawning.start(argv, nullptr, &process); code != 0) {
      Error error = failure(argv[0], "cannot be run", code);
      if (code == ENOENT) error.cause = Cause::not_found;
      return error;
    }
  }
  CommandResult result;
  const ProcessHandle watched(process);
  const bool ended =
      watched.is_open() && reached_its_end(watched.fd(), reading.fd, deadline_ms, result.output);
  if (!ended) ::kill(-process, SIGKILL);
  result.exit_code = exit_code(process);
  if (!ended) {
    return Error{Fault::transient, Cause::deadline,
                 argv[0] + " did not end within " + std::to_string(deadline_ms) + " ms", ""};
  }
  if (result.output.size() > kOutputBytesMax) {
    result.output.erase(0, result.output.size() - kOutputBytesMax);
  }
  return result;
}

std::string program_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path == nullptr ? "/usr/bin:/bin" : path) +
                             ":/usr/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = folder + "/" + name;
    if (candidate.front() == '/' && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

}  // namespace rowlock
