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
#include <utility>

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

// A running program, and the pipe that it writes to.
struct Started {
  pid_t process = -1;
  int reading = -1;
};

// Until its end, or the deadline's.
Result<CommandResult> finished(const std::string& program, const Started& started,
                               std::int64_t deadline_ms) {
  const Fd reading(started.reading);
  CommandResult result;
  const ProcessHandle watched(started.process);
  const bool ended =
      watched.is_open() && reached_its_end(watched.fd(), reading.fd, deadline_ms, result.output);
  if (!ended) ::kill(-started.process, SIGKILL);
  result.exit_code = exit_code(started.process);
  if (!ended) {
    return Error{Fault::transient, Cause::deadline,
                 program + " did not end within " + std::to_string(deadline_ms) + " ms", ""};
  }
  if (result.output.size() > kOutputBytesMax) {
    result.output.erase(0, result.output.size() - kOutputBytesMax);
  }
  return result;
}

// `input` -1: nothing to read. `variables` null: our own.
Result<Started> started(const std::vector<std::string>& argv, int input, bool with_errors,
                        const std::vector<std::string>* variables) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failure(argv[0], "make a pipe", errno);
  Fd reading(ends[0]);
  const Fd writing(ends[1]);
  ::fcntl(reading.fd, F_SETFL, O_NONBLOCK);
  Started made;
  Spawning spawning;
  spawning.place(input, STDIN_FILENO);
  spawning.place(writing.fd, STDOUT_FILENO);
  spawning.place(with_errors ? writing.fd : -1, STDERR_FILENO);
  if (const int code = spawning.start(argv, variables, &made.process); code != 0) {
    Error error = failure(argv[0], "cannot be run", code);
    if (code == ENOENT) error.cause = Cause::not_found;
    return error;
  }
  made.reading = std::exchange(reading.fd, -1);
  return made;
}

}  // namespace

Result<CommandResult> run_command(const std::vector<std::string>& argv, std::int64_t deadline_ms) {
  CHECK(!argv.empty());
  const Started program = TRY(started(argv, -1, true, nullptr));
  return finished(argv[0], program, deadline_ms);
}

Result<CommandResult> run_filter(const std::vector<std::string>& argv, const std::string& input,
                                 const std::vector<std::string>& variables,
                                 std::int64_t deadline_ms) {
  CHECK(!argv.empty() && input.size() <= kFilterInputMax);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failure(argv[0], "make a pipe", errno);
  const Fd reading(ends[0]);
  {
    const Fd writing(ends[1]);
    const auto size = static_cast<ssize_t>(input.size());
    if (::write(writing.fd, input.data(), input.size()) != size) {
      return failure(argv[0], "write to a pipe", errno);
    }
  }
  const Started program = TRY(started(argv, reading.fd, false, &variables));
  return finished(argv[0], program, deadline_ms);
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
