// kCases at the end is the list; each case is a sentence about the port, and its name is that
// sentence. Every change is made, looked at, made again and looked at again.
#include "tests/conformance/container_runtime_suite.h"

#include "tests/conformance/container_runtime_case.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace rowlock {

namespace {

constexpr std::int64_t kStopTimeoutMs = 100;
constexpr std::int64_t kExecTimeoutMs = 5000;

PortBinding published(int port, int host_port) {
  PortBinding binding;
  binding.port = port;
  binding.host_ip = "127.0.0.1";
  binding.host_port = host_port;
  binding.publish = true;
  return binding;
}

// ---- Each change: do it, look, do it again, look again -----------------------------------------

void what_is_not_there_is_absent(const RuntimeCase& c) {
  c.expect(!c.inspect(), "nothing to inspect");
  c.expect(!c.listed(), "nothing in the list");
  c.succeeds(c.runtime.stop(c.name(), "SIGTERM", kStopTimeoutMs), "stop");
  c.succeeds(c.runtime.remove(c.name()), "remove");
  const Result<std::string> log = c.runtime.log_tail(c.name(), 10);
  c.expect(log.ok() && log.value().empty(), "an empty log");
  c.fails(c.runtime.start(c.name()), Fault::transient, Cause::not_found, "start " + c.name());
  c.fails(c.runtime.resume(c.name()), Fault::transient, Cause::not_found, "resume " + c.name());
  c.fails(c.runtime.exec(c.name(), c.fixture.succeed, kExecTimeoutMs), Fault::transient,
          Cause::not_found, c.name());
}

void the_engine_tells_what_it_has(const RuntimeCase& c) {
  const Result<EngineFacts> facts = c.runtime.facts();
  c.succeeds(facts, "facts");
  if (!facts.ok()) return;
  c.expect(facts.value().arch == c.fixture.arch, "the architecture as images name it");
  c.expect(facts.value().cpus > 0 && facts.value().memory_mb > 0 && !facts.value().version.empty(),
           "all facts");
}

void create_makes_one_that_does_not_run(const RuntimeCase& c) {
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.runtime.create(c.spec()), "create");
    c.is_in_state(ContainerState::created);
  }
  for (const std::optional<Container>& container : {c.inspect(), c.listed()}) {
    if (!container) continue;
    c.expect(container->home == c.fixture.home, "the home's label");
    c.expect(container->job == "web" && container->instance == "web-a", "the job's labels");
    c.expect(container->image == c.fixture.image, "the image");
    c.expect(!container->id.empty(), "an id");
    c.expect(!container->exit_code, "no exit code");
    c.expect(container->address.empty() && container->published.empty(),
             "no address before the start");
  }
}

void start_runs_it(const RuntimeCase& c) {
  c.succeeds(c.runtime.create(c.spec()), "create");
  std::string first_id;
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.runtime.start(c.name()), "start");
    c.is_in_state(ContainerState::running);
    const std::optional<Container> container = c.inspect();
    if (!container) return;
    c.expect(first_id.empty() || container->id == first_id, "the same container");
    first_id = container->id;
    c.expect(container->address == "127.0.0.1", "the host network's address");
  }
  c.succeeds(c.runtime.create(c.spec()), "create of one that runs");
  c.is_in_state(ContainerState::running);
}

void stop_ends_it(const RuntimeCase& c) {
  c.create_and_start(c.spec());
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.runtime.stop(c.name(), "SIGTERM", kStopTimeoutMs), "stop");
    c.is_in_state(ContainerState::exited);
  }
  const std::optional<Container> container = c.inspect();
  c.expect(container && container->exit_code && !container->out_of_memory, "an exit code");
  c.expect(container && container->address.empty(), "no address after the end");

  c.succeeds(c.runtime.start(c.name()), "start of one that has ended");
  c.is_in_state(ContainerState::running);
}

void stop_of_one_never_started_leaves_it(const RuntimeCase& c) {
  c.succeeds(c.runtime.create(c.spec()), "create");
  c.succeeds(c.runtime.stop(c.name(), "SIGTERM", kStopTimeoutMs), "stop");
  c.is_in_state(ContainerState::created);
}

void resume_ends_a_pause(const RuntimeCase& c) {
  c.create_and_start(c.spec());
  c.fixture.pause(c.name());
  c.is_in_state(ContainerState::paused);
  c.fails(c.runtime.exec(c.name(), c.fixture.succeed, kExecTimeoutMs), Fault::transient,
          Cause::other, c.name());
  c.fails(c.runtime.start(c.name()), Fault::transient, Cause::other, "start " + c.name());
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.runtime.resume(c.name()), "resume");
    c.is_in_state(ContainerState::running);
  }
  c.succeeds(c.runtime.stop(c.name(), "SIGKILL", kStopTimeoutMs), "stop");
  c.succeeds(c.runtime.resume(c.name()), "resume of one that has ended");
  c.is_in_state(ContainerState::exited);
}

void stop_ends_a_paused_one(const RuntimeCase& c) {
  c.create_and_start(c.spec());
  c.fixture.pause(c.name());
  c.succeeds(c.runtime.stop(c.name(), "SIGTERM", kStopTimeoutMs), "stop");
  c.is_in_state(ContainerState::exited);
}

void remove_takes_it_away_in_any_state(const RuntimeCase& c) {
  for (const char* state : {"created", "running", "paused", "exited"}) {
    const std::string wanted = state;
    c.succeeds(c.runtime.create(c.spec()), "create");
    if (wanted != "created") c.succeeds(c.runtime.start(c.name()), "start");
    if (wanted == "paused") c.fixture.pause(c.name());
    if (wanted == "exited") c.succeeds(c.runtime.stop(c.name(), "SIGKILL", kStopTimeoutMs), "stop");
    for (int round = 0; round < 2; ++round) {
      c.succeeds(c.runtime.remove(c.name()), "remove of a container that is " + wanted);
      c.expect(!c.inspect() && !c.listed(), "nothing left of a container that was " + wanted);
    }
  }
}

void one_that_fails_leaves_its_code_and_words(const RuntimeCase& c) {
  ContainerSpec spec = c.spec();
  spec.command = c.fixture.fail;
  c.create_and_start(spec);
  c.ends();
  const std::optional<Container> container = c.inspect();
  c.expect(container && container->exit_code == 3, "exit code 3");
  const Result<std::string> log = c.runtime.log_tail(c.name(), 10);
  c.expect(log.ok() && log.value() == "hello\n", "its log");
  const std::optional<Container> in_list = c.listed();
  c.expect(in_list && !in_list->exit_code, "no exit code in the list");
}

void commands_run_inside(const RuntimeCase& c) {
  c.create_and_start(c.spec());
  const Result<ExecResult> good = c.runtime.exec(c.name(), c.fixture.succeed, kExecTimeoutMs);
  c.expect(good.ok() && good.value().exit_code == 0 && good.value().output == "hello\n",
           "exit 0 and its output");
  const Result<ExecResult> bad = c.runtime.exec(c.name(), c.fixture.fail, kExecTimeoutMs);
  c.expect(bad.ok() && bad.value().exit_code == 3 && bad.value().output == "hello\n",
           "exit 3 and its output");
  const Result<ExecResult> none =
      c.runtime.exec(c.name(), {c.fixture.missing_program}, kExecTimeoutMs);
  c.expect(none.ok() && none.value().exit_code != 0 && !none.value().output.empty(),
           "a missing program to fail");
  c.fails(c.runtime.exec(c.name(), c.fixture.run_on, 300), Fault::transient, Cause::deadline,
          "300 ms");

  c.succeeds(c.runtime.stop(c.name(), "SIGKILL", kStopTimeoutMs), "stop");
  c.fails(c.runtime.exec(c.name(), c.fixture.succeed, kExecTimeoutMs), Fault::transient,
          Cause::other, "not running");
}

void a_signal_reaches_its_first_process(const RuntimeCase& c) {
  c.fails(c.runtime.signal(c.name(), "SIGHUP"), Fault::transient, Cause::not_found, c.name());
  ContainerSpec spec = c.spec();
  spec.command = c.fixture.listen;
  c.succeeds(c.runtime.create(spec), "create");
  c.fails(c.runtime.signal(c.name(), "SIGHUP"), Fault::transient, Cause::not_found, c.name());
  c.succeeds(c.runtime.start(c.name()), "start");
  // Until it listens, the signal is lost.
  c.becomes_true("the signal to be heard", [&] {
    c.succeeds(c.runtime.signal(c.name(), "SIGHUP"), "signal");
    return c.log().find("hup\n") != std::string::npos;
  });
  c.is_in_state(ContainerState::running);

  c.succeeds(c.runtime.stop(c.name(), "SIGKILL", kStopTimeoutMs), "stop");
  c.fails(c.runtime.signal(c.name(), "SIGHUP"), Fault::transient, Cause::not_found, c.name());
  c.is_in_state(ContainerState::exited);
}

// The launcher is not to be noticed; what it gives is the adapter's own test.
void secrets_change_nothing_else(const RuntimeCase& c) {
  ContainerSpec spec = c.spec();
  spec.secrets_folder = c.fixture.secrets_folder;
  spec.launcher = c.fixture.launcher;
  spec.command = c.fixture.fail;
  c.create_and_start(spec);
  c.ends();
  const std::optional<Container> container = c.inspect();
  c.expect(container && container->exit_code == 3, "exit code 3");
  c.expect(c.log() == "hello\n", "its log");
}

void ports_are_published_on_the_bridge(const RuntimeCase& c) {
  ContainerSpec spec = c.spec();
  spec.network = "bridge";
  spec.ports = {published(80, c.fixture.free_port), published(81, 0)};
  c.create_and_start(spec);
  for (const std::optional<Container>& container : {c.inspect(), c.listed()}) {
    if (!container) continue;
    c.expect(container->published.size() == 2, "two published ports");
    for (const PortBinding& port : container->published) {
      c.expect(port.port != 80 || port.host_port == c.fixture.free_port,
               "the port that was asked for");
      c.expect(port.host_port > 0 && port.host_ip == "127.0.0.1" && port.protocol == "tcp",
               "a picked port");
    }
    c.expect(!container->address.empty() && container->address != "127.0.0.1",
             "an address of its own");
  }
}

// ---- The inputs that must fail -----------------------------------------------------------------

void an_absent_image_must_be_pulled_first(const RuntimeCase& c) {
  ContainerSpec spec = c.spec();
  spec.image = c.fixture.absent_image;
  c.fails(c.runtime.create(spec), Fault::transient, Cause::image_absent, c.fixture.absent_image);
  c.expect(!c.inspect(), "no container");
}

// A container can be made from what a name stands for, which is never that of another name.
void a_name_is_resolved_on_the_node(const RuntimeCase& c) {
  const auto resolved = c.runtime.resolve(c.fixture.image, ImageSource::node, {});
  c.succeeds(resolved, "resolve");
  if (!resolved.ok()) return;
  c.expect(resolved.value().find("sha256:") != std::string::npos, "what can be nothing else");
  ContainerSpec spec = c.spec();
  spec.image = resolved.value();
  for (int round = 0; round < 2; ++round) c.succeeds(c.runtime.create(spec), "create from it");
  c.fails(c.runtime.remove_image(spec.image, ""), Fault::transient, Cause::exists, spec.image);
  c.succeeds(c.runtime.create(spec), "the image to be there still");

  const std::string absent = c.fixture.absent_image;
  c.fails(c.runtime.resolve(absent, ImageSource::node, {}), Fault::transient, Cause::image_absent,
          absent);
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.runtime.remove_image(absent, ""), "remove an image that is not there");
  }
  c.succeeds(c.runtime.disk(), "disk");
}

void an_image_for_another_node_is_rejected(const RuntimeCase& c) {
  if (c.fixture.other_arch_image.empty()) return;
  ContainerSpec spec = c.spec();
  spec.image = c.fixture.other_arch_image;
  c.fails(c.runtime.create(spec), Fault::rejected, Cause::other, "the node is " + c.fixture.arch);
  c.expect(!c.inspect(), "no container");
  spec.arch.clear();
  c.succeeds(c.runtime.create(spec), "create without comparing");
}

void a_name_of_another_home_is_rejected(const RuntimeCase& c) {
  ContainerSpec foreign = c.spec();
  foreign.home = "another-home";
  c.succeeds(c.runtime.create(foreign), "create of the other home");
  c.fails(c.runtime.create(c.spec()), Fault::rejected, Cause::exists, "another-home");
  const std::optional<Container> container = c.inspect();
  c.expect(container && container->home == "another-home", "the other home's container untouched");
}

// Its name alone does not make a container the one that is wanted.
void a_name_of_another_instance_is_rejected(const RuntimeCase& c) {
  const ContainerSpec made = c.spec();
  c.succeeds(c.runtime.create(made), "create");
  ContainerSpec other_nonce = made;
  other_nonce.nonce = "of another";
  ContainerSpec other_contents = made;
  other_contents.env.emplace_back("A", "b");
  for (const ContainerSpec& other : {other_nonce, other_contents}) {
    c.fails(c.runtime.create(other), Fault::rejected, Cause::exists, c.name());
  }
  for (const std::optional<Container>& container : {c.inspect(), c.listed()}) {
    c.expect(container && container->nonce == made.nonce, "the first one's nonce");
    c.expect(container && container->made_from == fingerprint_of(made), "what it was made from");
  }
  c.succeeds(c.runtime.create(made), "create of the same");
}

void a_home_is_claimed_by_one(const RuntimeCase& c) {
  const auto stands = [&] {
    const auto found = c.runtime.claim_on(c.fixture.home);
    c.succeeds(found, "claim_on");
    return found.ok() && found.value() ? *found.value() : Claim();
  };
  const Claim first{c.fixture.home, 1, "first", "here", "process 1, \"since\" then"};
  const Claim second{c.fixture.home, 1, "second", "there", "process 2"};
  Claim higher = second;
  higher.epoch = 12;
  c.expect(stands().epoch == 0, "no claim at first");
  for (int round = 0; round < 2; ++round) {
    const auto made = c.runtime.claim(first);
    c.succeeds(made, "claim");
    c.expect(made.ok() && made.value().holder == "first", "the first one's claim");
    c.expect(stands().epoch == 1 && stands().home == first.home && stands().holder == "first" &&
                 stands().place == "here" && stands().says == first.says,
             "to be told of it");
  }
  const auto late = c.runtime.claim(second);
  c.expect(late.ok() && late.value().holder == "first", "an epoch to be taken once");
  const auto over = c.runtime.claim(higher);
  c.expect(over.ok() && over.value().holder == "second", "a higher one to be free");
  c.expect(stands().epoch == 12 && stands().holder == "second", "the higher one to count");
  const auto other = c.runtime.claim_on(c.fixture.home + "-2");
  c.expect(other.ok() && !other.value(), "a claim to be on one home alone");
  c.fixture.erase_claims();
  c.expect(stands().epoch == 0, "no claim in the end");
}

void an_unknown_network_is_rejected(const RuntimeCase& c) {
  ContainerSpec spec = c.spec();
  spec.network = "no-such-network";
  const auto created = c.runtime.create(spec);
  c.fails(created.ok() ? c.runtime.start(spec.name) : Result<>(created.error()), Fault::rejected,
          Cause::other, "no-such-network");
}

void a_missing_folder_is_rejected(const RuntimeCase& c) {
  ContainerSpec spec = c.spec();
  spec.mounts = {Mount{"bind", c.fixture.missing_folder, "/mounted", true}};
  c.fails(c.runtime.create(spec), Fault::rejected, Cause::other, c.fixture.missing_folder);
}

void a_lost_secrets_folder_may_come_back(const RuntimeCase& c) {
  for (const bool is_launcher : {false, true}) {
    ContainerSpec spec = c.spec();
    (is_launcher ? spec.launcher : spec.secrets_folder) = c.fixture.missing_folder;
    c.fails(c.runtime.create(spec), Fault::transient, Cause::other, c.fixture.missing_folder);
  }
  ContainerSpec spec = c.spec();
  spec.secrets_folder = c.fixture.secrets_folder;
  c.succeeds(c.runtime.create(spec), "create");
  c.fixture.have_secrets_folder(false);
  c.fails(c.runtime.start(spec.name), Fault::transient, Cause::other, spec.secrets_folder);
  c.fixture.have_secrets_folder(true);
  c.succeeds(c.runtime.start(spec.name), "start");
}

void a_missing_program_is_rejected(const RuntimeCase& c) {
  ContainerSpec spec = c.spec();
  spec.command = {c.fixture.missing_program};
  c.succeeds(c.runtime.create(spec), "create");
  for (int round = 0; round < 2; ++round) {
    c.fails(c.runtime.start(spec.name), Fault::rejected, Cause::other, c.fixture.missing_program);
    const std::optional<Container> container = c.inspect();
    c.expect(container && container->state == ContainerState::created && !container->error.empty(),
             "a container that never ran and says why");
  }
}

void a_taken_port_may_be_freed(const RuntimeCase& c) {
  ContainerSpec spec = c.spec();
  spec.network = "bridge";
  spec.ports = {published(80, c.fixture.taken_port)};
  c.succeeds(c.runtime.create(spec), "create");
  c.fails(c.runtime.start(spec.name), Fault::transient, Cause::other,
          "start " + spec.name + ": port " + std::to_string(c.fixture.taken_port) + " is taken");
  c.is_in_state(ContainerState::created);
}

void a_port_of_another_container_is_taken(const RuntimeCase& c) {
  for (const char* suffix : {"a", "b"}) {
    ContainerSpec spec = c.spec(suffix);
    spec.network = "bridge";
    spec.ports = {published(80, c.fixture.free_port)};
    c.succeeds(c.runtime.create(spec), "create");
  }
  c.succeeds(c.runtime.start(c.name("a")), "start of the first");
  c.fails(c.runtime.start(c.name("b")), Fault::transient, Cause::other, "is taken");
  c.succeeds(c.runtime.remove(c.name("a")), "remove of the first");
  c.succeeds(c.runtime.start(c.name("b")), "start of the second after the first");
}

// ---- Watching ----------------------------------------------------------------------------------

// Names told by watch() on a thread of its own.
class Hints {
 public:
  Hints(ContainerRuntime& runtime, const std::string& home)
      : thread_([this, &runtime, home] {
          const Result<> ended = runtime.watch(home, stop_, [this](const std::string& name) {
            const std::lock_guard<std::mutex> lock(mutex_);
            names_.push_back(name);
          });
          ended_well_ = ended.ok();
        }) {}
  ~Hints() { finish(); }
  Hints(const Hints&) = delete;
  Hints& operator=(const Hints&) = delete;

  std::size_t count(const std::string& name) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return static_cast<std::size_t>(std::count(names_.begin(), names_.end(), name));
  }

  bool finish() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return ended_well_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> names_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> ended_well_ = false;
  std::thread thread_;  // Last: it uses the others.
};

void watch_tells_what_changes_in_this_home(const RuntimeCase& c) {
  Hints hints(c.runtime, c.fixture.home);
  ContainerSpec foreign = c.spec("b");
  foreign.home = "another-home";
  c.create_and_start(foreign);
  c.succeeds(c.runtime.create(c.spec()), "create");
  // The stream has no sign that it has begun, so make changes until one is told.
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (hints.count(c.name()) == 0 && std::chrono::steady_clock::now() < give_up) {
    c.succeeds(c.runtime.start(c.name()), "start");
    c.succeeds(c.runtime.stop(c.name(), "SIGKILL", kStopTimeoutMs), "stop");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  c.expect(hints.count(c.name()) > 0, "a hint for the container");
  const std::size_t before = hints.count(c.name());
  c.succeeds(c.runtime.remove(c.name()), "remove");
  while (hints.count(c.name()) == before && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  c.expect(hints.count(c.name()) > before, "a hint for its removal");
  c.expect(hints.count(c.name("b")) == 0, "no hint for another home");

  const auto stopped_at = std::chrono::steady_clock::now();
  c.expect(hints.finish(), "watch to end well");
  c.expect(std::chrono::steady_clock::now() - stopped_at < std::chrono::milliseconds(1500),
           "watch to end soon");
}

constexpr std::pair<const char*, void (*)(const RuntimeCase&)> kCases[] = {
    {"what is not there is absent", what_is_not_there_is_absent},
    {"the engine tells what it has", the_engine_tells_what_it_has},
    {"create makes one that does not run", create_makes_one_that_does_not_run},
    {"start runs it", start_runs_it},
    {"stop ends it", stop_ends_it},
    {"stop of one never started leaves it", stop_of_one_never_started_leaves_it},
    {"resume ends a pause", resume_ends_a_pause},
    {"stop ends a paused one", stop_ends_a_paused_one},
    {"remove takes it away in any state", remove_takes_it_away_in_any_state},
    {"one that fails leaves its code and words", one_that_fails_leaves_its_code_and_words},
    {"commands run inside", commands_run_inside},
    {"a signal reaches its first process", a_signal_reaches_its_first_process},
    {"secrets change nothing else", secrets_change_nothing_else},
    {"ports are published on the bridge", ports_are_published_on_the_bridge},
    {"an absent image must be pulled first", an_absent_image_must_be_pulled_first},
    {"a name is resolved on the node", a_name_is_resolved_on_the_node},
    {"an image for another node is rejected", an_image_for_another_node_is_rejected},
    {"a name of another home is rejected", a_name_of_another_home_is_rejected},
    {"a name of another instance is rejected", a_name_of_another_instance_is_rejected},
    {"a home is claimed by one", a_home_is_claimed_by_one},
    {"an unknown network is rejected", an_unknown_network_is_rejected},
    {"a missing folder is rejected", a_missing_folder_is_rejected},
    {"a lost secrets folder may come back", a_lost_secrets_folder_may_come_back},
    {"a missing program is rejected", a_missing_program_is_rejected},
    {"a taken port may be freed", a_taken_port_may_be_freed},
    {"a port of another container is taken", a_port_of_another_container_is_taken},
    {"watch tells what changes in this home", watch_tells_what_changes_in_this_home},
};

}  // namespace

void check_container_runtime(ContainerRuntime& runtime, const RuntimeFixture& fixture) {
  for (const auto& [title, run] : kCases) run(RuntimeCase(title, runtime, fixture));
}

}  // namespace rowlock
