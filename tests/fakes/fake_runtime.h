// A container engine in memory. It answers as the real one does, which tests/conformance/ proves,
// and a test can break it: kill what runs, take ports, lose answers. It knows no time: what takes
// the real one a while is done at once.
#pragma once

#include "controller/ports/container_runtime.h"
#include "tests/fakes/fault_plan.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rowlock {

class FakeRuntime final : public ContainerRuntime {
 public:
  // What a command does: one that is not known runs for ever, and succeeds at once within exec().
  struct Script {
    std::optional<int> exit_code;  // Absent: it runs on; within exec() it then meets the deadline.
    std::string output;
    std::map<std::string, std::string> on_signal;  // What it writes when it is sent that signal.
  };

  explicit FakeRuntime(EngineFacts facts = {"fake", "amd64", 2, 4096});

  // -- What there is.
  // On the node, as if built there, or built there again: other bytes by the same name.
  void add_image(const std::string& image, const std::string& arch = "amd64");
  // To be pulled; or pushed again: the tag moves to other bytes, and the former keep their digest.
  void add_registry_image(const std::string& image, const std::string& arch = "amd64");
  void lose_image(const std::string& image);  // All its names go from the node.
  // That image, by the name that it was made by, declares these paths as volumes.
  void declare_volumes(const std::string& image, std::vector<std::string> paths);
  void set_disk(DiskUse disk);
  void add_network(const std::string& network);  // Beside bridge, host and none.
  void lack_program(
      const std::string& program);  // Starting a command that begins with it is rejected.
  void lack_folder(const std::string& folder);  // A bind mount of it is rejected.
  void have_folder(const std::string& folder);  // Takes lack_folder back.
  void take_port(int port);                     // By a process that is no container.
  void free_port(int port);

  // -- How containers behave. The more special wins: container, image, command.
  void script_command(const std::vector<std::string>& command, Script script);
  void exit_at_once(const std::string& image, int exit_code);
  void run_on(const std::string& image);  // Takes exit_at_once back.
  void set_image_exec(const std::string& image, ExecResult result);
  void set_container_exec(const std::string& name, ExecResult result);

  // -- What happens to them behind the controller's back. Names that are not there, or not running,
  // are left alone.
  void kill(const std::string& name, int exit_code);
  void pause(const std::string& name);
  void erase(const std::string& name);
  void erase_claims(const std::string& home);

  // Asked once at the start of every call: with the method's name, and the container's, image's or
  // home's ("" if none).
  void set_faults(
      std::function<FaultPlan(const std::string& call, const std::string& name)> faults);
  // Told what watch() would tell, at once and on the thread that caused it. The fake may be called
  // from within.
  void on_event(
      std::function<void(const std::string& home, const std::string& container)> listener);

  // -- For those who check.
  std::vector<Container> containers() const;  // By name, as inspect() shows them.
  std::optional<ContainerSpec> spec(const std::string& name) const;  // What it was made from.
  std::vector<std::string> signals(const std::string& name) const;   // Sent to it, in order.
  std::vector<std::string> images() const;                           // Names on the node.
  std::vector<Mount> kept(const std::string& name) const;  // The volumes that a container keeps.
  std::string named(const std::string& image) const;  // The name that those bytes were made by.
  // Of which bytes a container was made, by their pin; "" when there is none of that name.
  std::string bytes(const std::string& name) const;
  std::int64_t changes() const;  // How often a call through the port has changed something.

  Result<EngineFacts> facts() override;
  Result<std::vector<Container>> list() override;
  Result<std::optional<Container>> inspect(const std::string& name) override;
  Result<std::string> resolve(const std::string& image, ImageSource source,
                              const RegistryAccess& access) override;
  Result<> pull(const std::string& image, const RegistryAccess& access) override;
  Result<> remove_image(const std::string& image, const std::string& mirror) override;
  Result<std::optional<DiskUse>> disk() override;
  Result<std::vector<Mount>> create(const ContainerSpec& spec) override;
  Result<> start(const std::string& name) override;
  Result<> stop(const std::string& name, const std::string& signal,
                std::int64_t timeout_ms) override;
  Result<> signal(const std::string& name, const std::string& signal) override;
  Result<> resume(const std::string& name) override;
  Result<> remove(const std::string& name) override;
  Result<std::optional<Claim>> claim_on(const std::string& home) override;
  Result<Claim> claim(const Claim& claim) override;
  Result<std::string> log_tail(const std::string& name, int lines) override;
  Result<ExecResult> exec(const std::string& name, const std::vector<std::string>& command,
                          std::int64_t timeout_ms) override;
  Result<> watch(const std::string& home, const std::atomic<bool>& stop,
                 const std::function<void(const std::string& container)>& hint) override;

 private:
  struct Entry {
    Container shown;
    ContainerSpec spec;
    std::string log;
    std::vector<std::string> signals;
    std::string bytes = {};
    std::vector<Mount> kept = {};

    bool is_active() const {
      return shown.state == ContainerState::running || shown.state == ContainerState::paused;
    }
  };
  struct Image {
    std::string name;  // That it was made by: its behaviour goes by that.
    std::string arch;
    std::string pin;  // NAME@sha256:… or sha256:…
  };
  struct Event {
    std::string home;
    std::string container;
  };

  template <typename Act>
  auto attempt(const std::string& call, const std::string& name, Act act) -> decltype(act());
  template <typename Act>
  void behind_the_back(const std::string& name, Act act);
  void tell_events();

  // All below require mutex_ to be held.
  Entry* entry(const std::string& name);
  void note_event(const Entry& entry);
  void end(Entry& entry, int exit_code);
  Result<> start_locked(const std::string& name);
  std::optional<Error> reason_not_to_mount(const std::string& what,
                                           const ContainerSpec& spec) const;
  std::optional<Error> reason_not_to_create(const ContainerSpec& spec) const;
  std::optional<Error> reason_not_to_start(const Entry& entry) const;
  bool port_is_taken(const PortBinding& port, const std::string& by_other_than) const;
  void publish_ports(Entry& entry);
  std::string named_locked(const std::string& image) const;
  Image made_image(const std::string& image, const std::string& arch, bool by_registry);
  std::optional<int> exit_code_at_start(const Entry& entry);
  Result<ExecResult> exec_locked(const std::string& name, const std::vector<std::string>& command,
                                 std::int64_t timeout_ms);

  mutable std::mutex mutex_;
  std::condition_variable happened_;
  EngineFacts facts_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, Claim> claims_;           // The highest on each home.
  std::map<std::string, Image> images_;           // On the node, by name and by pin.
  std::map<std::string, Image> registry_images_;  // The same.
  std::map<std::string, std::string> names_;      // By pin: the name that it was made by.
  std::optional<DiskUse> disk_;
  std::set<std::string> networks_ = {"", "bridge", "host", "none"};
  std::set<std::string> lacking_programs_;
  std::set<std::string> lacking_folders_;
  std::set<int> taken_ports_;
  std::map<std::vector<std::string>, Script> scripts_;
  std::map<std::string, int> image_exit_codes_;
  std::map<std::string, std::vector<std::string>> declared_volumes_;
  std::map<std::string, ExecResult> image_execs_;
  std::map<std::string, ExecResult> container_execs_;
  std::function<FaultPlan(const std::string&, const std::string&)> faults_;
  std::function<void(const std::string&, const std::string&)> listener_;
  std::vector<Event> untold_;   // Not yet told to listener_.
  std::vector<Event> history_;  // For watch(); grows with the test.
  std::int64_t changes_ = 0;
  int made_ = 0;  // Numbers ids, addresses and picked ports.
};

template <typename Act>
auto FakeRuntime::attempt(const std::string& call, const std::string& name, Act act)
    -> decltype(act()) {
  std::function<FaultPlan(const std::string&, const std::string&)> faults;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    faults = faults_;
  }
  const FaultPlan plan = faults ? faults(call, name) : FaultPlan::none;
  const std::string what = name.empty() ? call : call + " " + name;
  if (plan == FaultPlan::unreachable) {
    return Error{Fault::transient, Cause::unreachable, what + ": the engine cannot be reached",
                 "start the engine"};
  }
  if (plan == FaultPlan::fail_before) {
    return Error{Fault::transient, Cause::other, what + ": the engine failed", ""};
  }
  auto result = [&] {
    const std::lock_guard<std::mutex> lock(mutex_);
    return act();
  }();
  tell_events();
  if (plan == FaultPlan::lose_answer) {
    return Error{Fault::transient, Cause::deadline,
                 what + ": the engine did not finish its answer in time", ""};
  }
  return result;
}

}  // namespace rowlock
