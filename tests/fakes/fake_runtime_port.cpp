// The port of the fake engine: what every engine is asked, done to a few maps.
#include "tests/fakes/fake_runtime.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace rowlock {

namespace {

constexpr std::size_t kOutputBytesMax = 4096;
constexpr int kFirstPickedPort = 32768;
constexpr int kExitBySigterm = 143;
constexpr int kExitBySigkill = 137;

Error error(Fault fault, Cause cause, const std::string& attempt, const std::string& what,
            std::string hint = "") {
  return Error{fault, cause, attempt + ": " + what, std::move(hint)};
}

// What list() leaves out.
Container without_details(Container container) {
  container.exit_code.reset();
  container.out_of_memory = false;
  container.error.clear();
  return container;
}

std::string last_lines(const std::string& text, int lines) {
  std::size_t start = text.size();
  for (int i = 0; i < lines && start > 0; ++i) {
    const std::size_t before = start < 2 ? std::string::npos : text.rfind('\n', start - 2);
    start = before == std::string::npos ? 0 : before + 1;
  }
  const std::string tail = text.substr(start);
  return tail.size() <= kOutputBytesMax ? tail : tail.substr(tail.size() - kOutputBytesMax);
}

}  // namespace

// ---- The port: looking -------------------------------------------------------------------------

Result<EngineFacts> FakeRuntime::facts() {
  return attempt("facts", "", [&]() -> Result<EngineFacts> { return facts_; });
}

// Faults are asked once more for each container, as "listed": one that fails is left out.
Result<std::vector<Container>> FakeRuntime::list() {
  auto listed = attempt("list", "", [&]() -> Result<std::vector<Container>> {
    std::vector<Container> result;
    for (const auto& [name, found] : entries_) result.push_back(without_details(found.shown));
    return result;
  });
  std::function<FaultPlan(const std::string&, const std::string&)> faults;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    faults = faults_;
  }
  if (!listed.ok() || !faults) return listed;
  std::vector<Container> result = std::move(listed).value();
  std::erase_if(result, [&](const Container& container) {
    return faults("listed", container.name) != FaultPlan::none;
  });
  return result;
}

Result<std::optional<Container>> FakeRuntime::inspect(const std::string& name) {
  return attempt("inspect", name, [&]() -> Result<std::optional<Container>> {
    const Entry* const found = entry(name);
    return found == nullptr ? std::optional<Container>() : std::optional<Container>(found->shown);
  });
}

Result<std::optional<Claim>> FakeRuntime::claim_on(const std::string& home) {
  return attempt("claim_on", home, [&]() -> Result<std::optional<Claim>> {
    const auto found = claims_.find(home);
    return found == claims_.end() ? std::optional<Claim>() : std::optional<Claim>(found->second);
  });
}

Result<Claim> FakeRuntime::claim(const Claim& claim) {
  return attempt("claim", claim.home, [&]() -> Result<Claim> {
    Claim& stands = claims_[claim.home];
    if (stands.epoch < claim.epoch) stands = claim;
    return stands.epoch == claim.epoch ? stands : claim;
  });
}

Result<std::string> FakeRuntime::log_tail(const std::string& name, int lines) {
  return attempt("log_tail", name, [&]() -> Result<std::string> {
    const Entry* const found = entry(name);
    return found == nullptr ? std::string() : last_lines(found->log, std::max(lines, 1));
  });
}

Result<> FakeRuntime::watch(const std::string& home, const std::atomic<bool>& stop,
                            const std::function<void(const std::string& container)>& hint) {
  constexpr auto kLookAtStop = std::chrono::milliseconds(20);
  std::size_t told = 0;
  const Result<> begun = attempt("watch", home, [&]() -> Result<> {
    told = history_.size();
    return Done{};
  });
  if (!begun.ok()) return begun;
  while (!stop.load()) {
    std::vector<std::string> names;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      happened_.wait_for(lock, kLookAtStop, [&] { return history_.size() > told; });
      for (; told < history_.size(); ++told) {
        if (history_[told].home == home) names.push_back(history_[told].container);
      }
    }
    for (const std::string& name : names) hint(name);
  }
  return Done{};
}

// ---- The port: changing ------------------------------------------------------------------------

// When it is made, and when it starts.
std::optional<Error> FakeRuntime::reason_not_to_mount(const std::string& what,
                                                      const ContainerSpec& spec) const {
  const std::string absent = "bind source path does not exist: ";
  for (const Mount& mount : spec.mounts) {
    if (mount.type != "bind" || lacking_folders_.count(mount.source) == 0) continue;
    return error(Fault::rejected, Cause::other, what, absent + mount.source,
                 "create the folder on the node, or correct job_mount.source");
  }
  for (const std::string& source : {spec.secrets_folder, spec.launcher}) {
    if (lacking_folders_.count(source) == 0) continue;
    return error(Fault::transient, Cause::other, what, absent + source);
  }
  return std::nullopt;
}

std::optional<Error> FakeRuntime::reason_not_to_create(const ContainerSpec& spec) const {
  const std::string what = "create " + spec.name;
  const auto image = images_.find(spec.image);
  if (image == images_.end()) {
    return error(Fault::transient, Cause::image_absent, what,
                 "the image " + spec.image + " is not on the node yet");
  }
  const std::string& arch = image->second.arch;
  if (!spec.arch.empty() && arch != spec.arch) {
    return error(
        Fault::rejected, Cause::other, what,
        "the image " + spec.image + " is built for " + arch + ", the node is " + spec.arch,
        "build the image for linux/" + spec.arch + ", or constrain the job to another node");
  }
  return reason_not_to_mount(what, spec);
}

Result<std::vector<Mount>> FakeRuntime::create(const ContainerSpec& spec) {
  const std::string what = "create " + spec.name;
  return attempt("create", spec.name, [&]() -> Result<std::vector<Mount>> {
    if (std::optional<Error> reason = reason_not_to_create(spec)) return *reason;
    if (const Entry* const there = entry(spec.name)) {
      const Container& found = there->shown;
      const bool is_same_home = found.home == spec.home;
      if (is_same_home && found.nonce == spec.nonce && found.made_from == fingerprint_of(spec)) {
        return there->kept;
      }
      return error(Fault::rejected, Cause::exists, what,
                   is_same_home
                       ? "a container of that name was made for another instance"
                       : "a container of that name belongs to another Rowlock, home " + found.home,
                   "remove or rename that container");
    }
    Container shown;
    shown.name = spec.name;
    shown.id = "fake-" + std::to_string(++made_);
    shown.home = spec.home;
    shown.job = spec.job;
    shown.instance = spec.instance;
    shown.nonce = spec.nonce;
    shown.made_from = fingerprint_of(spec);
    shown.image = spec.image;
    const std::vector<Mount> kept = kept_volumes(spec, declared_volumes_[named_locked(spec.image)]);
    entries_[spec.name] =
        Entry{std::move(shown), spec, "", {}, images_.find(spec.image)->second.pin, kept};
    ++changes_;
    return kept;
  });
}

bool FakeRuntime::port_is_taken(const PortBinding& port, const std::string& by_other_than) const {
  if (taken_ports_.count(port.host_port) != 0) return true;
  for (const auto& [name, other] : entries_) {
    if (name == by_other_than || !other.is_active()) continue;
    for (const PortBinding& theirs : other.shown.published) {
      if (theirs.host_port == port.host_port && theirs.protocol == port.protocol) return true;
    }
  }
  return false;
}

std::optional<Error> FakeRuntime::reason_not_to_start(const Entry& entry) const {
  const std::string what = "start " + entry.spec.name;
  if (networks_.count(entry.spec.network) == 0) {
    return error(Fault::rejected, Cause::other, what,
                 "network " + entry.spec.network + " not found",
                 "create the network on the node, or correct job.network");
  }
  if (auto reason = reason_not_to_mount(what, entry.spec)) return reason;
  if (entry.spec.command && !entry.spec.command->empty() &&
      lacking_programs_.count(entry.spec.command->front()) != 0) {
    return error(
        Fault::rejected, Cause::other, what,
        "exec: \"" + entry.spec.command->front() + "\": executable file not found in $PATH",
        "correct job.command: the image has no such program");
  }
  if (entry.spec.network == "host" || entry.spec.network == "none") return std::nullopt;
  for (const PortBinding& port : entry.spec.ports) {
    if (!port.publish || port.host_port == 0 || !port_is_taken(port, entry.spec.name)) continue;
    return error(
        Fault::transient, Cause::other, what,
        "port " + std::to_string(port.host_port) + " is taken by another process on the node",
        "free the port, or change job_port.host_port");
  }
  return std::nullopt;
}

void FakeRuntime::publish_ports(Entry& entry) {
  entry.shown.published.clear();
  for (PortBinding port : entry.spec.ports) {
    if (!port.publish) continue;
    while (port.host_port == 0 || port_is_taken(port, ""))
      port.host_port = kFirstPickedPort + made_++;
    if (port.host_ip.empty()) port.host_ip = "0.0.0.0";
    entry.shown.published.push_back(port);
  }
}

std::optional<int> FakeRuntime::exit_code_at_start(const Entry& entry) {
  const auto by_image = image_exit_codes_.find(named_locked(entry.spec.image));
  if (by_image != image_exit_codes_.end()) return by_image->second;
  if (!entry.spec.command) return std::nullopt;
  const auto script = scripts_.find(*entry.spec.command);
  return script == scripts_.end() ? std::nullopt : script->second.exit_code;
}

Result<> FakeRuntime::start_locked(const std::string& name) {
  Entry* const found = entry(name);
  if (found == nullptr) {
    return error(Fault::transient, Cause::not_found, "start " + name, "No such container: " + name);
  }
  if (found->shown.state == ContainerState::running) return Done{};
  if (found->shown.state == ContainerState::paused) {
    return error(Fault::transient, Cause::other, "start " + name,
                 "cannot start a paused container, try unpause instead");
  }
  if (std::optional<Error> reason = reason_not_to_start(*found)) {
    found->shown.error = reason->message;
    return *reason;
  }
  ++changes_;
  found->shown.state = ContainerState::running;
  found->shown.exit_code.reset();
  found->shown.error.clear();
  const std::string& network = found->spec.network;
  if (network == "host") {
    found->shown.address = "127.0.0.1";
  } else if (network != "none") {
    const int number = made_++;
    found->shown.address =
        "172.17." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 2);
    publish_ports(*found);
  }
  if (found->spec.command) {
    const auto script = scripts_.find(*found->spec.command);
    if (script != scripts_.end()) found->log += script->second.output;
  }
  note_event(*found);
  if (const std::optional<int> exit_code = exit_code_at_start(*found)) end(*found, *exit_code);
  return Done{};
}

Result<> FakeRuntime::start(const std::string& name) {
  return attempt("start", name, [&] { return start_locked(name); });
}

Result<> FakeRuntime::stop(const std::string& name, const std::string& signal, std::int64_t) {
  return attempt("stop", name, [&]() -> Result<> {
    Entry* const found = entry(name);
    if (found == nullptr || !found->is_active()) return Done{};
    ++changes_;
    end(*found, signal == "SIGKILL" ? kExitBySigkill : kExitBySigterm);
    return Done{};
  });
}

// A first process gets only what it listens for, and the signal that nobody can ignore.
Result<> FakeRuntime::signal(const std::string& name, const std::string& signal) {
  return attempt("signal", name, [&]() -> Result<> {
    Entry* const found = entry(name);
    if (found == nullptr || !found->is_active()) {
      return error(Fault::transient, Cause::not_found, "signal " + name,
                   found == nullptr ? "No such container: " + name
                                    : "container " + name + " is not running");
    }
    ++changes_;
    found->signals.push_back(signal);
    if (signal == "SIGKILL") end(*found, kExitBySigkill);
    if (!found->spec.command) return Done{};
    const auto script = scripts_.find(*found->spec.command);
    if (script == scripts_.end()) return Done{};
    const auto words = script->second.on_signal.find(signal);
    if (words != script->second.on_signal.end()) found->log += words->second;
    return Done{};
  });
}

Result<> FakeRuntime::resume(const std::string& name) {
  return attempt("resume", name, [&]() -> Result<> {
    Entry* const found = entry(name);
    if (found == nullptr) {
      return error(Fault::transient, Cause::not_found, "resume " + name,
                   "No such container: " + name);
    }
    if (found->shown.state != ContainerState::paused) return Done{};
    ++changes_;
    found->shown.state = ContainerState::running;
    note_event(*found);
    return Done{};
  });
}

Result<> FakeRuntime::remove(const std::string& name) {
  return attempt("remove", name, [&]() -> Result<> {
    Entry* const found = entry(name);
    if (found == nullptr) return Done{};
    ++changes_;
    note_event(*found);
    entries_.erase(name);
    return Done{};
  });
}

Result<ExecResult> FakeRuntime::exec_locked(const std::string& name,
                                            const std::vector<std::string>& command,
                                            std::int64_t timeout_ms) {
  const std::string what = "run " + (command.empty() ? "nothing" : command.front()) + " in " + name;
  const Entry* const found = entry(name);
  if (found == nullptr)
    return error(Fault::transient, Cause::not_found, what, "No such container: " + name);
  if (found->shown.state != ContainerState::running) {
    return error(Fault::transient, Cause::other, what, "Container " + name + " is not running");
  }
  if (const auto set = container_execs_.find(name); set != container_execs_.end())
    return set->second;
  if (const auto set = image_execs_.find(named_locked(found->spec.image));
      set != image_execs_.end())
    return set->second;
  if (!command.empty() && lacking_programs_.count(command.front()) != 0) {
    return ExecResult{127, "exec: \"" + command.front() + "\": executable file not found in $PATH"};
  }
  const auto script = scripts_.find(command);
  if (script == scripts_.end()) return ExecResult{};
  if (!script->second.exit_code) {
    return error(Fault::transient, Cause::deadline, what,
                 "no end within " + std::to_string(timeout_ms) + " ms");
  }
  return ExecResult{*script->second.exit_code, script->second.output};
}

Result<ExecResult> FakeRuntime::exec(const std::string& name,
                                     const std::vector<std::string>& command,
                                     std::int64_t timeout_ms) {
  return attempt("exec", name, [&] { return exec_locked(name, command, timeout_ms); });
}

}  // namespace rowlock
