// A server refuses to run as root, so as root it is the user postgres, which its package makes. It
// is told to die with us; should we be killed, only its folder is left, and the next one of the
// same home takes that away.
#include "controller/adapters/postgres/postgres_scratch.h"

#include "controller/adapters/postgres/postgres_program.h"
#include "controller/adapters/postgres/postgres_text.h"
#include "controller/adapters/process/command.h"
#include "controller/adapters/process/spawning.h"
#include "controller/base/open_file.h"
#include "controller/base/own_trouble.h"
#include "controller/base/percent.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <pwd.h>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace rowlock {

namespace {

namespace fs = std::filesystem;

constexpr char kServersUser[] = "postgres";
constexpr char kSuperuser[] = "postgres";
constexpr std::int64_t kClusterMs = 120'000;
constexpr std::chrono::seconds kReadyMost{60};
constexpr std::chrono::milliseconds kPause{50};
constexpr int kEndMs = 10'000;
constexpr std::size_t kSocketBytesMax = 107;  // Of sockaddr_un, with its NUL.
constexpr char kSocketName[] = "/.s.PGSQL.5432";
// What is written must be read back, and need not outlive the machine: so nothing is waited for.
constexpr const char* kSettings[] = {"listen_addresses=",
                                     "port=5432",
                                     "fsync=off",
                                     "full_page_writes=off",
                                     "synchronous_commit=off",
                                     "wal_level=minimal",
                                     "max_wal_senders=0",
                                     "archive_mode=off",
                                     "min_wal_size=32MB",
                                     "max_wal_size=128MB",
                                     "shared_buffers=64MB",
                                     "maintenance_work_mem=64MB",
                                     "max_connections=40",
                                     "autovacuum=off",
                                     "logging_collector=off",
                                     "log_min_messages=warning",
                                     "jit=off"};

// Those that this process has now: what else bears the name of one of ours was left by another one.
std::mutex in_use_mutex;
std::set<std::string>& in_use() {
  static std::set<std::string> folders;
  return folders;
}

Error rejected(const std::string& what, const std::string& hint) {
  return Error{Fault::rejected, Cause::other, what, hint};
}

Result<std::string> program_of(const std::string& name, int major,
                               const std::vector<std::string>& folders) {
  const auto found = postgres_program(name, major, folders);
  if (!found.ok() && found.error().fault == Fault::transient) return found.error();
  // "postgres 15.16"
  if (found.ok() && std::atoi(found.value().version.c_str() + name.size() + 1) == major) {
    return found.value().path;
  }
  const std::string wanted = std::to_string(major);
  return Error{Fault::rejected, Cause::not_found,
               "the server of PostgreSQL " + wanted + " is not installed on this machine",
               "install the package postgresql-" + wanted +
                   ", or name a server that may take it in backup_policy.verify_database"};
}

struct Owner {
  uid_t user = ::geteuid();
  gid_t group = ::getegid();
};

Result<Owner> owner_of_server() {
  if (::geteuid() != 0) return Owner{};
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> bytes;
  const int code = ::getpwnam_r(kServersUser, &entry, bytes.data(), bytes.size(), &found);
  if (code != 0 && is_own_trouble(code)) return own_trouble("look for a user", code);
  if (found == nullptr) {
    return rejected("PostgreSQL does not run as root, and there is no user postgres",
                    "install the package postgresql-common, which makes it");
  }
  return Owner{entry.pw_uid, entry.pw_gid};
}

// Whoever changes the user must ask for the signal at our death anew.
Result<std::vector<std::string>> words_before(const Owner& owner) {
  const std::string setpriv = program_path("setpriv");
  if (setpriv.empty()) {
    return rejected("there is no program setpriv", "install the package util-linux");
  }
  std::vector<std::string> words = {setpriv, "--pdeathsig", "QUIT"};
  if (::geteuid() == 0) {
    words.insert(words.end(), {"--reuid", std::to_string(owner.user), "--regid",
                               std::to_string(owner.group), "--clear-groups"});
  }
  words.emplace_back("--");
  return words;
}

bool is_folder_of(const std::string& path, uid_t user) {
  struct stat said {};
  return ::lstat(path.c_str(), &said) == 0 && S_ISDIR(said.st_mode) && said.st_uid == user;
}

// A server that outlived whoever began it, as one does whose end could not be told to it.
void end_server_in(const std::string& folder) {
  std::ifstream file(folder + "/data/postmaster.pid");
  std::int64_t process = 0;
  if (!(file >> process) || process <= 1) return;
  const ProcessHandle handle(process);
  std::error_code code;
  const fs::path works_in = fs::read_symlink("/proc/" + std::to_string(process) + "/cwd", code);
  if (!handle.is_open() || code || works_in != fs::path(folder) / "data") return;
  handle.signal(SIGQUIT);
  if (handle.ends_within(kEndMs)) return;
  handle.signal(SIGKILL);
  (void)handle.ends_within(kEndMs);
}

void clear_left_ones(const std::string& folder, const std::string& prefix, uid_t user) {
  std::error_code code;
  for (fs::directory_iterator each(folder, code), end; !code && each != end; each.increment(code)) {
    const std::string path = each->path();
    if (!each->path().filename().string().starts_with(prefix) || !is_folder_of(path, user))
      continue;
    {
      const std::lock_guard<std::mutex> lock(in_use_mutex);
      if (in_use().contains(path)) continue;
    }
    end_server_in(path);
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
}

// What bears its name and is not ours is left alone: a folder that all may write to is anybody's.
Result<> make_folder(const std::string& folder, const Owner& owner) {
  if (::mkdir(folder.c_str(), 0700) != 0) {
    const int code = errno;
    return file_error("make the folder " + folder, code,
                      code == EEXIST ? "it is somebody else's: remove it, or name another folder "
                                       "in backup_limit.verify_folder"
                                     : "name another folder in backup_limit.verify_folder");
  }
  if (owner.user == ::geteuid() || ::chown(folder.c_str(), owner.user, owner.group) == 0) {
    return Done{};
  }
  return file_error("give the folder " + folder + " to the user " + kServersUser, errno);
}

Result<> make_cluster(const std::vector<std::string>& as_owner, const std::string& initdb,
                      const std::string& folder) {
  std::vector<std::string> command = as_owner;
  command.insert(command.end(),
                 {initdb, "--pgdata=" + folder + "/data", std::string("--username=") + kSuperuser,
                  "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"});
  const auto ran = TRY(run_command(command, kClusterMs));
  if (ran.exit_code == 0) return Done{};
  return Error{Fault::transient, Cause::other,
               "initdb ended with exit code " + std::to_string(ran.exit_code) + ": " +
                   postgres_program_line(ran.output),
               "let the folder in backup_limit.verify_folder have room, and let all enter it"};
}

}  // namespace

PostgresScratch::PostgresScratch(std::string folder) : folder_(std::move(folder)) {
  const std::lock_guard<std::mutex> lock(in_use_mutex);
  in_use().insert(folder_);
}

Result<std::unique_ptr<PostgresScratch>> PostgresScratch::start(const PostgresDumpLimits& limits,
                                                                const ScratchOrder& order,
                                                                const std::atomic<bool>& ending) {
  const std::string prefix = "rowlock-verify-" + order.home + "-";
  const std::string folder = order.folder + "/" + prefix + order.name;
  if (folder.size() + std::strlen(kSocketName) > kSocketBytesMax) {
    return rejected("the folder " + order.folder + " has too long a name for a socket in it",
                    "name a shorter one in backup_limit.verify_folder");
  }
  const auto folders = limits.folders.empty() ? postgres_folders() : limits.folders;
  const auto initdb = TRY(program_of("initdb", order.major, folders));
  const auto postgres = TRY(program_of("postgres", order.major, folders));
  const auto owner = TRY(owner_of_server());
  const auto as_owner = TRY(words_before(owner));
  clear_left_ones(order.folder, prefix, owner.user);
  std::unique_ptr<PostgresScratch> server(new PostgresScratch(folder));
  server->address_.url = std::string("postgresql://") + kSuperuser +
                         "@/postgres?host=" + percent_encoded(folder, "/") + "&port=5432";
  TRY(make_folder(folder, owner));
  server->is_made_ = true;
  TRY(make_cluster(as_owner, initdb, folder));
  TRY(server->run(as_owner, postgres));
  TRY(server->await_ready(limits, ending));
  return server;
}

PostgresScratch::~PostgresScratch() {
  if (process_ > 0) {
    handle_->signal(SIGQUIT);  // At once: nothing of it is wanted any more.
    if (!handle_->ends_within(kEndMs)) handle_->signal(SIGKILL);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  std::error_code ignored;
  if (is_made_) fs::remove_all(folder_, ignored);
  const std::lock_guard<std::mutex> lock(in_use_mutex);
  in_use().erase(folder_);
}

Result<> PostgresScratch::run(const std::vector<std::string>& as_owner,
                              const std::string& postgres) {
  std::vector<std::string> command = as_owner;
  command.insert(command.end(), {postgres, "-D", folder_ + "/data"});
  for (const char* setting : kSettings) command.insert(command.end(), {"-c", setting});
  command.insert(command.end(), {"-c", "unix_socket_directories=" + folder_});
  const std::string log = folder_ + "/log";
  const OpenFile words(
      ::open(log.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!words.is_open()) return file_error("make the file " + log, errno);
  Spawning spawning;
  spawning.place(-1, STDIN_FILENO);
  spawning.place(words.fd(), STDOUT_FILENO);
  spawning.place(words.fd(), STDERR_FILENO);
  const std::vector<std::string> variables = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  const int code = spawning.start(command, &variables, &process_);
  if (code != 0) {
    process_ = -1;
    if (is_own_trouble(code)) return own_trouble("start " + postgres, code);
    return Error{Fault::broken, Cause::other, "start " + postgres + ": " + std::strerror(code), ""};
  }
  handle_ = std::make_unique<ProcessHandle>(process_);
  return Done{};
}

Result<> PostgresScratch::await_ready(const PostgresDumpLimits& limits,
                                      const std::atomic<bool>& ending) {
  const auto until = std::chrono::steady_clock::now() + kReadyMost;
  while (true) {
    const auto opened = PostgresConnection::open(
        address_, {limits.connect_ms, limits.statement_ms, limits.statement_ms},
        [&ending] { return ending.load(); });
    if (opened.ok()) return Done{};
    if (handle_->ends_within(0)) {
      return Error{Fault::transient, Cause::other, "it ended at once: " + last_words(),
                   "see whether the machine has memory and disk left"};
    }
    if (ending) return Error{Fault::transient, Cause::other, "Rowlock is stopping", ""};
    if (std::chrono::steady_clock::now() >= until) {
      return Error{Fault::transient, Cause::deadline,
                   "it does not answer: " + opened.error().message, ""};
    }
    std::this_thread::sleep_for(kPause);
  }
}

std::string PostgresScratch::last_words() const {
  std::ifstream file(folder_ + "/log");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t fatal = text.rfind("FATAL:  ");
  if (fatal == std::string::npos) return postgres_line(text);
  return postgres_line(text.substr(fatal, text.find('\n', fatal) - fatal));
}

}  // namespace rowlock
