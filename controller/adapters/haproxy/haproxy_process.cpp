// HAProxy as a process: a master that stays, and the workers that it replaces when it reloads.
#include "controller/adapters/haproxy/haproxy.h"
#include "controller/adapters/haproxy/haproxy_config.h"
#include "controller/adapters/haproxy/haproxy_error.h"
#include "controller/adapters/process/command.h"
#include "controller/adapters/process/process_handle.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

namespace rowlock {

namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kStartDeadlineMs = 30'000;
constexpr milliseconds kAnswerWithin(10'000);  // A new worker, after start or reload.
constexpr milliseconds kLookAgainAfter(5);     // While one is awaited.
constexpr int kEndWithinMs = 5000;             // Then it is killed.
constexpr int kWatchStepMs = 500;

Error somebody_elses(const std::string& attempt, const std::string& hint) {
  return Error{Fault::rejected, Cause::other, attempt + ": somebody else manages it", hint};
}

// Looks until it is so, or too late.
bool comes_about(const std::function<bool()>& is_so) {
  const auto until = std::chrono::steady_clock::now() + kAnswerWithin;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(kLookAgainAfter);
  }
  return true;
}

}  // namespace

Result<> HaproxyProxy::start() {
  const std::string attempt = "start the proxy";
  if (!is_ours_) return somebody_elses(attempt, "start that proxy yourself");
  const std::lock_guard lock(mutex_);
  const auto saved = folder_.saved();
  if (!saved.ok()) return with_attempt(attempt, saved.error());
  if (auto done = start_now(); !done.ok()) return with_attempt(attempt, done.error());
  return Done{};
}

Result<> HaproxyProxy::start_now() {
  const auto answers = [&] {
    const auto told = control_.tell({"show info"});
    return told.ok() && parse_info(told.value().answer).process != 0;
  };
  if (const auto told = control_.tell({"show info"}); told.ok()) {
    return Done{};
  } else if (told.error().cause != Cause::unreachable) {
    return told.error();
  }
  const auto binary = TRY(haproxy_binary());
  if (control_.socket().find(',') != std::string::npos) {
    return Error{Fault::rejected, Cause::other,
                 "HAProxy takes no comma in the path of a socket: " + control_.socket(),
                 "move the home to a path without one"};
  }
  const auto started =
      TRY(run_command({binary, "-W", "-D", "-p", folder_.pid_path(), "-S",
                       control_.socket() + ",mode,600", "-f", folder_.config_path()},
                      kStartDeadlineMs));
  if (started.exit_code != 0) {
    return Error{Fault::transient, Cause::other, haproxy_words(started.output), ""};
  }
  if (comes_about(answers)) return Done{};
  return Error{Fault::transient, Cause::deadline, "it was started and does not answer", ""};
}

Result<> HaproxyProxy::reload() {
  const std::string attempt = "reload the proxy";
  const std::lock_guard lock(mutex_);
  const auto saved = folder_.saved();
  if (!saved.ok()) return with_attempt(attempt, saved.error());
  if (auto done = reload_now(saved.value()); !done.ok()) {
    return with_attempt(attempt, done.error());
  }
  return Done{};
}

Result<> HaproxyProxy::reload_now(const SavedProxy& saved) {
  const auto before = TRY(control_.tell({"show info"}));
  const std::string config = folder_.config_path();
  if (!before.is_master) {
    return somebody_elses("its socket takes no such command",
                          "reload that proxy yourself; its new configuration is in " + config);
  }
  const std::int64_t old_worker = before.processes.worker;
  const std::int64_t failed_before = before.processes.failed;
  TRY(control_.tell_to_reload());
  bool has_failed = false;
  const bool runs = comes_about([&] {
    const auto now = control_.tell({"show info"});
    if (!now.ok()) return false;  // The master refuses while it starts anew.
    has_failed = now.value().processes.failed > failed_before;
    const WorkerFacts facts = parse_info(now.value().answer);
    return has_failed || (facts.process != 0 && facts.process != old_worker &&
                          generation_in(facts.description, saved.home) == saved.generation);
  });
  if (runs && !has_failed) return Done{};
  if (!has_failed) {
    return Error{Fault::transient, Cause::deadline, "what was saved does not run yet",
                 is_ours_ ? "" : "does that proxy read " + config + "?"};
  }
  TRY(check_configuration(config));
  return Error{Fault::transient, Cause::other, "HAProxy could not take what was saved",
               "is one of its addresses in use by another process?"};
}

// The master's, if that still runs and was started from this folder; else 0.
std::int64_t HaproxyProxy::process_of_pid_file() const {
  std::int64_t process = 0;
  std::ifstream(folder_.pid_path()) >> process;
  std::ostringstream command;
  command << std::ifstream("/proc/" + std::to_string(process) + "/cmdline").rdbuf();
  return command.str().find(control_.socket()) == std::string::npos ? 0 : process;
}

// By the socket, or by what the master wrote down when that does not answer.
Result<> HaproxyProxy::stop() {
  const std::string attempt = "stop the proxy";
  if (!is_ours_) return somebody_elses(attempt, "stop that proxy yourself");
  const std::lock_guard lock(mutex_);
  const auto told = control_.tell({"show info"});
  const std::int64_t process = told.ok() ? told.value().processes.master : process_of_pid_file();
  const ProcessHandle master(process);
  if (!master.is_open()) {
    if (!told.ok() && told.error().cause == Cause::unreachable) return Done{};
    return Error{Fault::transient, Cause::other, attempt + ": its process cannot be found", ""};
  }
  master.signal(SIGTERM);
  if (master.ends_within(kEndWithinMs)) return Done{};
  master.signal(SIGKILL);  // Its workers end with it.
  if (master.ends_within(kEndWithinMs)) return Done{};
  return Error{Fault::broken, Cause::deadline,
               attempt + ": process " + std::to_string(process) + " cannot be killed", ""};
}

Result<> HaproxyProxy::watch(const std::atomic<bool>& stop, const std::function<void()>& ended) {
  const auto told = control_.tell({"show info"});
  if (!told.ok()) {
    if (told.error().cause == Cause::unreachable) return Done{};
    return with_attempt("watch the proxy", told.error());
  }
  const ProcessHandle process(told.value().is_master ? told.value().processes.master
                                                     : parse_info(told.value().answer).process);
  while (!stop.load()) {
    if (process.is_open()) {
      if (!process.ends_within(kWatchStepMs)) continue;
    } else {
      // It runs where we do not see its process, in a container for instance.
      std::this_thread::sleep_for(milliseconds(kWatchStepMs));
      const auto again = control_.tell({"show info"});
      if (again.ok() || again.error().cause != Cause::unreachable) continue;
    }
    ended();
    return Done{};
  }
  return Done{};
}

}  // namespace rowlock
