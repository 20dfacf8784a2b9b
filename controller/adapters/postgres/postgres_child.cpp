// A child that stands still must not hold a worker for ever: every read and write is a poll with a
// deadline, and when it passes, the child and all that it started are killed.
#include "controller/adapters/postgres/postgres_child.h"

#include "controller/adapters/postgres/postgres_text.h"
#include "controller/adapters/process/process_handle.h"
#include "controller/adapters/process/spawning.h"
#include "controller/base/open_file.h"
#include "controller/base/own_trouble.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace rowlock {

namespace {

constexpr int kPasswordFd = 3;
constexpr char kPasswordFile[] = "/proc/self/fd/3";
constexpr int kListFd = 4;
constexpr char kListOption[] = "--use-list=/proc/self/fd/4";
constexpr int kPipeBytes = 1024 * 1024;  // As much as anybody may ask for.
constexpr std::size_t kWordsBytesMax = 4096;
constexpr int kLookMs = 200;
constexpr int kPauseMs = 1;
constexpr int kEndMs = 1000;
// What it needs of our environment, and what its libraries look at.
constexpr const char* kKept[] = {"PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"};

Error system_error(const std::string& program, const std::string& what, int code) {
  if (is_own_trouble(code)) return own_trouble(program + ": " + what, code);
  return Error{Fault::broken, Cause::other, program + ": " + what + ": " + std::strerror(code), ""};
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::vector<std::string> environment(std::int64_t connect_ms, bool has_password) {
  // Its words are ours to read, and its text is what the database says it is.
  std::vector<std::string> result = {
      "LC_ALL=C", "PGAPPNAME=rowlock", "PGGSSENCMODE=disable",
      "PGCONNECT_TIMEOUT=" + std::to_string(std::max<std::int64_t>(2, connect_ms / 1000)),
      std::string("PGPASSFILE=") + (has_password ? kPasswordFile : "/dev/null/.pgpass")};
  for (const char* name : kKept) {
    if (const char* value = std::getenv(name)) result.push_back(std::string(name) + "=" + value);
  }
  return result;
}

Result<OpenFile> memory_file(const std::string& program) {
  OpenFile file(::memfd_create("rowlock", MFD_CLOEXEC));
  if (file.is_open() && ::fchmod(file.fd(), 0600) == 0) return file;
  return system_error(program, "make a file in memory", errno);
}

Result<OpenFile> list_file(const std::string& program, const std::string& list) {
  auto file = TRY(memory_file(program));
  TRY(write_all(file, program + ": write a file in memory", list));
  return file;
}

// A file that is in memory alone, as libpq wants it: readable by its owner, one line.
Result<OpenFile> password_file(const std::string& program, const SecretBytes& password) {
  const std::string_view text = password.view();
  if (text.find_first_of(std::string_view("\0\n\r", 3)) != std::string_view::npos) {
    return Error{Fault::rejected, Cause::other,
                 program + " cannot be given a password with a line break or a NUL in it",
                 "change the password"};
  }
  auto file = TRY(memory_file(program));
  SecretBytes line(2 * text.size() + 9);
  std::size_t size = 0;
  const auto add = [&](char c) { line.data()[size++] = static_cast<unsigned char>(c); };
  for (const char c : std::string_view("*:*:*:*:")) add(c);
  for (const char c : text) {
    if (c == ':' || c == '\\') add('\\');
    add(c);
  }
  add('\n');
  TRY(write_all(file, program + ": write a file in memory", line.view().substr(0, size)));
  return file;
}

}  // namespace

// Our ends. Its input is a socket: writing to a pipe that nobody reads any more would kill us.
struct PostgresChild::Pipes {
  int input = -1;
  int output = -1;
  int words = -1;

  static void close(int& fd) {
    if (fd >= 0) ::close(std::exchange(fd, -1));
  }
  ~Pipes() {
    for (int* fd : {&input, &output, &words}) close(*fd);
  }
};

PostgresChild::PostgresChild(const PostgresChildOrder& order)
    : order_(order),
      name_(order.command.front().substr(order.command.front().rfind('/') + 1)),
      pipes_(std::make_unique<Pipes>()) {}

Result<std::unique_ptr<PostgresChild>> PostgresChild::start(const PostgresChildOrder& order) {
  CHECK(!order.command.empty() && order.must_end);
  std::unique_ptr<PostgresChild> child(new PostgresChild(order));
  TRY(child->spawn());
  return child;
}

PostgresChild::~PostgresChild() {
  if (process_ > 0) reap();
}

Result<> PostgresChild::spawn() {
  int words[2];
  int output[2] = {-1, -1};
  int input[2] = {-1, -1};
  if (::pipe2(words, O_CLOEXEC) != 0) return system_error(name_, "make a pipe", errno);
  const OpenFile their_words(words[1]);
  pipes_->words = words[0];
  ::fcntl(words[0], F_SETFL, O_NONBLOCK);
  if (!order_.has_input && ::pipe2(output, O_CLOEXEC) != 0) {
    return system_error(name_, "make a pipe", errno);
  }
  const OpenFile their_output(output[1]);
  pipes_->output = output[0];
  if (!order_.has_input) {
    (void)::fcntl(output[0], F_SETPIPE_SZ, kPipeBytes);  // Only slower when that is refused.
    ::fcntl(output[0], F_SETFL, O_NONBLOCK);
  } else if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input) != 0) {
    return system_error(name_, "make a socket", errno);
  }
  const OpenFile their_input(input[1]);
  pipes_->input = input[0];

  const bool has_password = order_.password != nullptr && !order_.password->empty();
  Result<OpenFile> password =
      has_password ? password_file(name_, *order_.password) : Result<OpenFile>(OpenFile(-1));
  if (!password.ok()) return password.error();
  const bool has_list = !order_.use_list.empty();
  Result<OpenFile> list =
      has_list ? list_file(name_, order_.use_list) : Result<OpenFile>(OpenFile(-1));
  if (!list.ok()) return list.error();
  if (has_list) order_.command.push_back(kListOption);
  Spawning spawning;
  spawning.place(their_input.fd(), STDIN_FILENO);
  spawning.place(their_output.fd(), STDOUT_FILENO);
  spawning.place(their_words.fd(), STDERR_FILENO);
  spawning.place(password.value().fd(), kPasswordFd);
  spawning.place(list.value().fd(), kListFd);
  const std::vector<std::string> variables = environment(order_.connect_ms, has_password);
  const int code = spawning.start(order_.command, &variables, &process_);
  if (code != 0) {
    process_ = -1;
    return system_error(order_.command.front(), "cannot be run", code);
  }
  handle_ = std::make_unique<ProcessHandle>(process_);
  return Done{};
}

Result<> PostgresChild::await_output() {
  if (const auto came = await(true, false); !came.ok()) return came;
  return has_ended_ ? ending() : Result<>(Done{});
}

Result<std::string_view> PostgresChild::read() {
  while (true) {
    ssize_t count = ::read(pipes_->output, buffer_.data(), buffer_.size());
    if (count > 0) {
      count += read_on(static_cast<std::size_t>(count));
      if (order_.must_end())
        return Error{Fault::transient, Cause::other, name_ + " was asked to end", ""};
      return std::string_view(buffer_.data(), static_cast<std::size_t>(count));
    }
    if (count == 0 || (has_ended_ && errno == EAGAIN)) return std::string_view();
    if (errno != EAGAIN && errno != EINTR) return system_error(name_, "read from it", errno);
    TRY(await(true, false));
  }
}

// These programs write a few KB at a time: to be woken for each would take longer than to read it.
ssize_t PostgresChild::read_on(std::size_t from) {
  if (from >= buffer_.size() / 2) return 0;
  ::poll(nullptr, 0, kPauseMs);
  return std::max<ssize_t>(0, ::read(pipes_->output, buffer_.data() + from, buffer_.size() - from));
}

Result<> PostgresChild::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count =
        ::send(pipes_->input, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    if (count < 0 && errno != EAGAIN && errno != EINTR) return finish();
    if (const auto came = await(false, true); !came.ok()) return came;
    if (has_ended_) return finish();
  }
  return Done{};
}

Result<> PostgresChild::finish() {
  Pipes::close(pipes_->input);
  while (pipes_->output >= 0) {
    const auto rest = TRY(read());
    if (rest.empty()) Pipes::close(pipes_->output);
  }
  if (const auto ended = await(false, false); !ended.ok()) return ended;
  return ending();
}

// Requires: it has ended.
Result<> PostgresChild::ending() {
  take_words();
  return WIFEXITED(status_) && WEXITSTATUS(status_) == 0 ? Result<>(Done{}) : failure();
}

// ---- Waiting -----------------------------------------------------------------------------------

Result<> PostgresChild::await(bool wants_output, bool wants_input) {
  std::int64_t since = now_ms();
  while (!has_ended_) {
    pollfd wanted[] = {{handle_->fd(), POLLIN, 0},
                       {wants_output ? pipes_->output : -1, POLLIN, 0},
                       {wants_input ? pipes_->input : -1, POLLOUT, 0},
                       {pipes_->words, POLLIN, 0}};
    if (::poll(wanted, std::size(wanted), kLookMs) < 0 && errno != EINTR) {
      return system_error(name_, "wait for it", errno);
    }
    if (order_.must_end())
      return Error{Fault::transient, Cause::other, name_ + " was asked to end", ""};
    if (wanted[3].revents != 0) take_words();
    if (wanted[0].revents != 0) reap();
    if (has_ended_ || wanted[1].revents != 0 || wanted[2].revents != 0) return Done{};
    if (now_ms() - since < order_.stall_ms) continue;
    // It may have ended its work while it was looked for there.
    const bool works = order_.still_works && (order_.still_works() || handle_->ends_within(kEndMs));
    if (!works) {
      return Error{Fault::transient, Cause::deadline,
                   name_ + " stood still for " + std::to_string(order_.stall_ms) + " ms", ""};
    }
    since = now_ms();
  }
  return Done{};
}

void PostgresChild::take_words() {
  char bytes[4096];
  while (pipes_->words >= 0) {
    const ssize_t count = ::read(pipes_->words, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) Pipes::close(pipes_->words);
    if (count <= 0) return;
    words_.append(bytes, static_cast<std::size_t>(count));
    if (order_.hears) order_.hears({bytes, static_cast<std::size_t>(count)});
    if (words_.size() > kWordsBytesMax) words_.erase(0, words_.size() - kWordsBytesMax);
  }
}

// What it started itself goes too: a program may be a script around another one.
void PostgresChild::reap() {
  if (has_ended_) return;
  ::kill(-process_, SIGKILL);
  while (::waitpid(process_, &status_, 0) < 0 && errno == EINTR) {
  }
  has_ended_ = true;
}

Error PostgresChild::failure() const {
  const std::string how = WIFSIGNALED(status_)
                              ? " was ended by signal " + std::to_string(WTERMSIG(status_))
                              : " ended with exit code " + std::to_string(WEXITSTATUS(status_));
  const std::string said = postgres_program_line(words_);
  return Error{Fault::transient, Cause::other, name_ + how + (said.empty() ? "" : ": " + said), ""};
}

}  // namespace rowlock
