// Signals are the hard part: one that ends this process while the editor runs would leave the text
// behind. They are held back, passed on to the editor, and taken when the file is gone.
#include "controller/cli/secrets/secret_editor.h"

#include "controller/cli/secrets/dotenv.h"
#include "controller/cli/secrets/secret_input.h"
#include "controller/cli/secrets/secret_values.h"
#include "controller/crypto/secret_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

namespace rowlock {
namespace {

constexpr std::int64_t kEndPatienceMs = 5000;  // Of an editor that was told to end.
constexpr std::size_t kBytesOverwrittenMax = 64 * 1024 * 1024;

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

Error failure(const std::string& what, int code) {
  return {Fault::broken, Cause::other, fmt::format("{}: {}", what, std::strerror(code)), ""};
}

bool is_in_memory(const std::string& folder) {
  struct statfs about {};
  return ::statfs(folder.c_str(), &about) == 0 &&
         (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC);
}

Result<> write_new(const std::string& path, std::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    return failure("cannot make " + path, errno);
  }
  const bool is_written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int code = errno;
  close(fd);
  return is_written ? Result<>(Done{}) : failure("cannot write " + path, code);
}

// Zeros in place of what is there: a page of memory may outlive its file.
void overwrite(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return;
  }
  const off_t size = lseek(fd, 0, SEEK_END);
  const std::string zeros(
      std::min(static_cast<std::size_t>(std::max<off_t>(size, 0)), kBytesOverwrittenMax), '\0');
  (void)!pwrite(fd, zeros.data(), zeros.size(), 0);
  close(fd);
}

pid_t start_editor(const std::string& file, const sigset_t& signals_before) {
  std::string editor = environment("VISUAL");
  editor = editor.empty() ? environment("EDITOR") : editor;
  editor = (editor.empty() ? "vi" : editor) + " \"$1\"";  // As git does: it may have arguments.
  const pid_t process = fork();
  if (process == 0) {
    sigprocmask(SIG_SETMASK, &signals_before, nullptr);
    execl("/bin/sh", "sh", "-c", editor.c_str(), "editor", file.c_str(), nullptr);
    _exit(127);
  }
  return process;
}

// Holds signals back, so that none ends this process while the text lies in its file.
class Held {
 public:
  Held() {
    sigemptyset(&held_);
    for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) {
      sigaddset(&held_, each);
    }
    sigprocmask(SIG_BLOCK, &held_, &before_);
    signal(SIGCHLD, SIG_DFL);  // A parent may have it ignored, and then no end is told.
  }
  ~Held() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  const sigset_t& before() const { return before_; }

  // The next signal; 0 when none came in time. No bound: `time_ms` below 0.
  int next(std::int64_t time_ms) const {
    const timespec time{time_ms / 1000, (time_ms % 1000) * 1'000'000};
    const int signal =
        time_ms < 0 ? sigwaitinfo(&held_, nullptr) : sigtimedwait(&held_, nullptr, &time);
    return std::max(signal, 0);
  }

 private:
  sigset_t held_;
  sigset_t before_;
};

// How the editor ended. Signals that are for us are passed on to it: Ctrl-C may be a key of its
// own, and goes to it anyway; the others end it.
int await_editor(pid_t editor, const Held& held, int& ended_by) {
  int status = 0;
  std::int64_t patience_ms = -1;
  while (waitpid(editor, &status, WNOHANG) != editor) {
    const int signal = held.next(patience_ms);
    if (signal == SIGCHLD) {
      continue;
    }
    if (signal == 0 && patience_ms >= 0) {
      kill(editor, SIGKILL);
      waitpid(editor, &status, 0);
      break;
    }
    if (signal != 0) {
      kill(editor, signal);
      ended_by = signal;
      patience_ms = signal == SIGTERM || signal == SIGHUP ? kEndPatienceMs : patience_ms;
    }
  }
  return status;
}

}  // namespace

Result<PrivateFolder> PrivateFolder::make() {
  for (const std::string& parent : {environment("XDG_RUNTIME_DIR"), std::string("/dev/shm")}) {
    if (parent.empty() || !is_in_memory(parent)) {
      continue;
    }
    std::string path = parent + "/rowlock-edit.XXXXXX";
    if (mkdtemp(path.data()) != nullptr) {
      return PrivateFolder(path);
    }
  }
  return Error{Fault::rejected, Cause::other,
               "there is no folder in memory to edit a secret in: neither $XDG_RUNTIME_DIR nor "
               "/dev/shm is a tmpfs that can be written to",
               "give the values by stdin or from files: `rowlock secret put PATH KEY=@FILE`"};
}

PrivateFolder::~PrivateFolder() {
  if (path_.empty()) {
    return;
  }
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path_, ignored)) {
    overwrite(entry.path());
  }
  std::filesystem::remove_all(path_, ignored);
}

Result<std::optional<std::string>> edited(const std::string& text, const std::string& name) {
  const Held held;  // Outlives the folder: nothing ends this process before that is removed.
  const PrivateFolder folder = TRY(PrivateFolder::make());
  const std::string file = folder.path() + "/" + name;
  TRY(write_new(file, text));
  const pid_t editor = start_editor(file, held.before());
  if (editor < 0) {
    return failure("cannot start the editor", errno);
  }
  int ended_by = 0;
  const int status = await_editor(editor, held, ended_by);
  if (ended_by != 0 && (WIFSIGNALED(status) || WEXITSTATUS(status) != 0 || ended_by != SIGINT)) {
    return std::optional<std::string>();
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("the editor ended with code {}: nothing was written",
                             WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)),
                 "$VISUAL or $EDITOR says which editor; vi without them"};
  }
  auto read = TRY(text_of_file(file));
  return std::optional(std::move(read));
}

EditableMap editable(const Json& map, const std::string& title) {
  KeyValues lines;
  bool is_plain = true;
  std::string json;
  for (const auto& [key, value] : map.members()) {
    is_plain = is_plain && value.is_string() && is_dotenv_key(key);
    lines.emplace_back(key, value.as_string());
    json += fmt::format("{}  {}: {}", json.empty() ? "" : ",\n", Json::string(key).text(),
                        value.text());
  }
  if (!is_plain) {
    return {"{\n" + json + "\n}\n", ".json"};
  }
  return {fmt::format("# {}. Lines are KEY=VALUE, KEY='VALUE' or KEY=\"VALUE\"; a line that is "
                      "taken out\n# takes its key out. One JSON object will do as well.\n{}",
                      title, dotenv_text(lines)),
          ".env"};
}

Result<Json> map_of_edited(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin != std::string::npos && text[begin] == '{') {
    return map_of_json(text, "what was edited");
  }
  const auto lines = TRY(read_dotenv(text));
  std::vector<std::pair<std::string, Json>> members;
  for (const auto& [key, value] : lines) {
    members.emplace_back(key, Json::string(value));
  }
  return Json::object(std::move(members));
}

}  // namespace rowlock
