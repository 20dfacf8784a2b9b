// Raw reads into memory of ours: the streams of C++ would keep copies of the text in buffers that
// nobody wipes.
#include "controller/cli/secrets/secret_input.h"

#include "controller/crypto/secret_bytes.h"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

namespace rowlock {
namespace {

constexpr std::size_t kLineBytesMax = 4096;  // What a terminal takes as one line.

// The terminal without echo, and the signals that would leave it so held back. Both are as they
// were when this goes.
class Silence {
 public:
  Silence() {
    sigemptyset(&ending_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP}) {
      sigaddset(&ending_, signal);
    }
    sigprocmask(SIG_BLOCK, &ending_, &before_);
    signals_ = signalfd(-1, &ending_, SFD_CLOEXEC);
    tcgetattr(STDIN_FILENO, &echoing_);
    termios silent = echoing_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~Silence() {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &echoing_);
    sigprocmask(SIG_SETMASK, &before_, nullptr);
    close(signals_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

  // True once there is a line, false when a signal came, which is taken.
  bool await_line() const {
    pollfd wanted[] = {{STDIN_FILENO, POLLIN, 0}, {signals_, POLLIN, 0}};
    while (poll(wanted, 2, -1) < 0 && errno == EINTR) {
    }
    signalfd_siginfo taken;
    return wanted[1].revents == 0 || read(signals_, &taken, sizeof taken) < 0;
  }

 private:
  sigset_t ending_;
  sigset_t before_;
  termios echoing_{};
  int signals_ = -1;
};

Error unreadable(const std::string& what, int code) {
  return {Fault::rejected, Cause::not_found, fmt::format("{}: {}", what, std::strerror(code)), ""};
}

Result<std::string> all_of(int fd, const std::string& what) {
  std::string text;
  text.reserve(kInputBytesMax + 1);  // It never moves, so that nothing of it is left behind.
  char buffer[16 * 1024];
  ssize_t count = 0;
  while ((count = read(fd, buffer, sizeof buffer)) != 0) {
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return unreadable(what, errno);
    }
    if (text.size() + static_cast<std::size_t>(count) > kInputBytesMax) {
      wipe(text);
      return Error{Fault::rejected, Cause::other,
                   fmt::format("{} holds more than {} bytes", what, kInputBytesMax),
                   "a secret holds 512 KiB at most"};
    }
    text.append(buffer, static_cast<std::size_t>(count));
  }
  explicit_bzero(buffer, sizeof buffer);
  return text;
}

}  // namespace

Result<std::optional<std::string>> hidden_line(const std::string& prompt) {
  std::fflush(stdout);
  fmt::print(stderr, "{}", prompt);
  ssize_t count = 0;
  std::string line(kLineBytesMax, '\0');
  {
    const Silence silence;
    count = silence.await_line() ? read(STDIN_FILENO, line.data(), line.size()) : 0;
  }
  fmt::print(stderr, "\n");
  if (count < 0) {
    return unreadable("the terminal", errno);
  }
  line.resize(static_cast<std::size_t>(count));
  if (line.empty()) {
    return std::optional<std::string>();
  }
  if (line.back() == '\n') {
    line.pop_back();
  }
  return std::optional<std::string>(std::move(line));
}

Result<std::string> all_of_stdin() { return all_of(STDIN_FILENO, "stdin"); }

Result<std::string> text_of_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return unreadable(path, errno);
  }
  auto text = all_of(fd, path);
  close(fd);
  return text;
}

}  // namespace rowlock
