// The fake engines answer; here it is drawn what goes wrong around them, and how each check was
// really answered is kept beside what Rowlock was told.
#include "tests/simulator/engines.h"

#include <fmt/format.h>

namespace rowlock::simulator {

namespace {

constexpr int kImages = 60;  // Of each sort; more than an engineer asks for in one simulation.
constexpr std::int64_t kProbeMs = 30;
constexpr const char* kExecCheck = "exec";

}  // namespace

bool is_good(const std::string& image) {
  return image.starts_with("web:") || image.starts_with("web@");
}

// An engine of the fake, with addresses that no other engine has.
class Engines::Runtime final : public ContainerRuntime {
 public:
  explicit Runtime(std::string node) : node_(std::move(node)) {
    for (int i = 0; i < kImages; ++i) {
      fake.add_registry_image(fmt::format("web:{}", i));
      fake.add_registry_image(fmt::format("sick:{}", i));
      fake.add_registry_image(fmt::format("crash:{}", i));
      fake.exit_at_once(fmt::format("crash:{}", i), 1);
    }
  }

  FakeRuntime fake;

  Container placed(Container container) const {
    if (!container.address.empty()) container.address += "." + node_;
    return container;
  }

  Result<EngineFacts> facts() override { return fake.facts(); }
  Result<std::vector<Container>> list() override {
    auto listed = fake.list();
    if (!listed.ok()) return listed;
    std::vector<Container> all;
    for (const Container& container : listed.value()) all.push_back(placed(container));
    return all;
  }
  Result<std::optional<Container>> inspect(const std::string& name) override {
    auto seen = fake.inspect(name);
    if (!seen.ok() || !seen.value()) return seen;
    return std::optional<Container>(placed(*seen.value()));
  }
  Result<std::string> resolve(const std::string& image, ImageSource source,
                              const RegistryAccess& access) override {
    return fake.resolve(image, source, access);
  }
  Result<> pull(const std::string& image, const RegistryAccess& access) override {
    return fake.pull(image, access);
  }
  Result<> remove_image(const std::string& image, const std::string& mirror) override {
    return fake.remove_image(image, mirror);
  }
  Result<std::optional<DiskUse>> disk() override { return fake.disk(); }
  Result<std::vector<Mount>> create(const ContainerSpec& spec) override {
    return fake.create(spec);
  }
  Result<> start(const std::string& name) override { return fake.start(name); }
  Result<> stop(const std::string& name, const std::string& signal,
                std::int64_t timeout_ms) override {
    return fake.stop(name, signal, timeout_ms);
  }
  Result<> signal(const std::string& name, const std::string& signal) override {
    return fake.signal(name, signal);
  }
  Result<> resume(const std::string& name) override { return fake.resume(name); }
  Result<> remove(const std::string& name) override { return fake.remove(name); }
  Result<std::optional<Claim>> claim_on(const std::string& home) override {
    return fake.claim_on(home);
  }
  Result<Claim> claim(const Claim& claim) override { return fake.claim(claim); }
  Result<std::string> log_tail(const std::string& name, int lines) override {
    return fake.log_tail(name, lines);
  }
  Result<ExecResult> exec(const std::string& name, const std::vector<std::string>& command,
                          std::int64_t timeout_ms) override {
    return fake.exec(name, command, timeout_ms);
  }
  Result<> watch(const std::string& home, const std::atomic<bool>& stop,
                 const std::function<void(const std::string&)>& hint) override {
    return fake.watch(home, stop, hint);
  }

 private:
  std::string node_;
};

Engines::Engines(Timeline& timeline, Random& random, const Weather& weather)
    : timeline_(timeline), random_(random), weather_(weather) {
  for (const char* node : {"local", "north"}) {
    auto runtime = std::make_unique<Runtime>(node);
    // Somebody else's, not to be touched.
    ContainerSpec other;
    other.name = fmt::format("other-{}", node);
    other.home = "others";
    other.image = "web:0";
    CHECK(runtime->fake.pull(other.image, {}).ok());
    CHECK(runtime->fake.create(other).ok() && runtime->fake.start(other.name).ok());
    runtime->fake.lose_image(other.image);
    runtime->fake.set_faults([this, node](const std::string& verb, const std::string& name) {
      return before_call(node, verb, name);
    });
    runtimes_.emplace(node, std::move(runtime));
  }
  // On this machine, so that no call is still on its way when the controller is dead.
  fake_secret_folders().set_faults([this](const std::string&, const std::string&) {
    return late_ ? FaultPlan::fail_before : drawn_fault();
  });
  const auto transfer = [this](const std::string&, const std::string&) {
    return fault_of_transfer();
  };
  stores.set_faults(transfer);
  fake_dumps.set_faults(transfer);
  fake_postgres().set_faults(
      [this](const std::string&, const std::string&) { return drawn_fault(); });
  push_now_and_then();
}

// Somebody builds what runs anew, and gives it the same tag.
void Engines::push_now_and_then() {
  timeline_.after(push_dice_.between(3000, 30000), [this] {
    if (is_calm_) return;
    std::set<std::string> tags;
    for (const auto& [node, container] : containers()) {
      if (container.home != "others") tags.insert(engine(node).named(container.image));
    }
    for (const std::string& tag : tags) {
      for (const std::string& node : nodes()) engine(node).add_registry_image(tag);
    }
    push_now_and_then();
  });
}

std::string Engines::bytes(const std::string& container) const {
  for (const auto& [node, runtime] : runtimes_) {
    if (std::string found = runtime->fake.bytes(container); !found.empty()) return found;
  }
  return "";
}

std::vector<Mount> Engines::kept(const std::string& container) const {
  for (const auto& [node, runtime] : runtimes_) {
    if (auto found = runtime->fake.kept(container); !found.empty()) return found;
  }
  return {};
}

void Engines::declare_volumes() {
  for (auto& [node, runtime] : runtimes_) {
    for (int i = 0; i < kImages; i += 2) {
      for (const char* sort : {"web", "sick", "crash"}) {
        runtime->fake.declare_volumes(fmt::format("{}:{}", sort, i), {"/data"});
      }
    }
  }
}

Engines::~Engines() = default;

std::string Engines::endpoint_of(const std::string& node) {
  return node == "local" ? "" : "unix:///" + node + "/docker.sock";
}

ContainerRuntime& Engines::runtime(const std::string&, const std::string& endpoint) {
  return *runtimes_.at(endpoint.empty() ? "local" : "north");
}

FakeRuntime& Engines::engine(const std::string& node) { return runtimes_.at(node)->fake; }

std::vector<std::string> Engines::nodes() const { return {"local", "north"}; }

void Engines::calm() {
  is_calm_ = true;
  weather_ = Weather{};
  away_until_ms_.clear();
  flaps_until_ms_.clear();
}

void Engines::take_away(const std::string& node, std::int64_t for_ms) {
  away_until_ms_[node] = timeline_.now_ms() + for_ms;
}

void Engines::flap(const std::string& container, std::int64_t for_ms) {
  flaps_until_ms_[container] = timeline_.now_ms() + for_ms;
}

void Engines::on_hint(std::function<void(const std::string&)> listener) {
  for (auto& [node, runtime] : runtimes_) {
    runtime->fake.on_event([listener](const std::string& home, const std::string& container) {
      if (home != "others") listener(container);
    });
  }
}

// ---- Calls --------------------------------------------------------------------------------------

FaultPlan Engines::drawn_fault() {
  if (random_.chance(weather_.fails)) return FaultPlan::fail_before;
  if (random_.chance(weather_.loses)) return FaultPlan::lose_answer;
  return FaultPlan::none;
}

// Of one call of the many that a backup is made of. When the controller is killed, those up to some
// moment were made, and no other.
FaultPlan Engines::fault_of_transfer() {
  if (!late_) return drawn_fault();
  has_died_ = has_died_ || random_.chance(200);
  return has_died_ ? FaultPlan::fail_before : FaultPlan::none;
}

FaultPlan Engines::before_call(const std::string& node, const std::string& verb,
                               const std::string& name) {
  if (verb == "listed") {
    const bool is_left_out = weather_.unlisted > 0 && random_.chance(weather_.unlisted);
    return is_left_out ? FaultPlan::fail_before : FaultPlan::none;
  }
  if (const auto away = away_until_ms_.find(node);
      away != away_until_ms_.end() && timeline_.now_ms() < away->second) {
    return FaultPlan::unreachable;
  }
  const FaultPlan plan = drawn_fault();
  if (late_) touched_late_.insert(name);
  if (verb == "exec") {
    const Container* const found = find(name, node);
    const bool passed = plan == FaultPlan::none && found != nullptr && passes_now(*found);
    engine(node).set_container_exec(name, ExecResult{passed ? 0 : 1, ""});
    // An engine in trouble says nothing about the program.
    const bool is_answer = plan != FaultPlan::fail_before && found != nullptr &&
                           found->state == ContainerState::running;
    if (is_answer) note_answer(name, kExecCheck, passed);
  }
  if (plan == FaultPlan::fail_before) return plan;
  if (verb == "start") ready_at_ms_[name] = timeline_.now_ms() + random_.between(0, 2000);
  if (on_call_) {
    const Container* const found = find(name, node);
    on_call_({node, verb, name, found});
  }
  return plan;
}

// ---- Programs -----------------------------------------------------------------------------------

bool Engines::passes_now(const Container& container) const {
  const auto flaps = flaps_until_ms_.find(container.name);
  const auto ready = ready_at_ms_.find(container.name);
  return container.state == ContainerState::running && is_good(container.image) &&
         (ready == ready_at_ms_.end() || ready->second <= timeline_.now_ms()) &&
         (flaps == flaps_until_ms_.end() || flaps->second <= timeline_.now_ms());
}

// A check is known by its path, or by its type when it has none. A job's own asks within a second,
// so that one which stands for a route is told from it.
void Engines::probe(const Probe& probe, std::function<void(const ProbeResult&)> done) {
  const char* const tcp = probe.timeout_ms == kCheckTimeoutMs ? "tcp" : "route:main";
  const std::string check = probe.type == Probe::Type::tcp ? tcp : probe.path.substr(1);
  const bool is_wrong = probe.path == kWrongPath;
  timeline_.after(random_.between(1, kProbeMs),
                  [this, check, is_wrong, address = probe.address, done] {
                    if (weather_.unheard > 0 && random_.chance(weather_.unheard)) {
                      return done({false, "too many open files", false});
                    }
                    bool passed = false;
                    for (const auto& [node, container] : containers()) {
                      if (container.address == address) {
                        passed = passes_now(container) && !is_wrong;
                        note_answer(container.name, check, passed);
                      }
                    }
                    done({passed, passed ? "well" : "unwell"});
                  });
}

void Engines::note_answer(const std::string& container, const std::string& check, bool passed) {
  Streak& streak = streaks_[{container, check}];
  if (passed ? streak.failures > 0 : streak.passes > 0) {
    streak.passes_before = streak.passes;
    streak.failures_before = streak.failures;
    streak.turned_at_ms = timeline_.now_ms();
  }
  streak.passes = passed ? streak.passes + 1 : 0;
  streak.failures = passed ? 0 : streak.failures + 1;
  if (on_answer_) on_answer_(container, passed);
}

void Engines::doubt_streaks(const std::string& container) {
  for (auto& [key, streak] : streaks_) {
    if (container.empty() || key.first == container) streak.passes = streak.failures = 1000;
  }
}

// ---- The truth ----------------------------------------------------------------------------------

std::vector<std::pair<std::string, Container>> Engines::containers() const {
  std::vector<std::pair<std::string, Container>> all;
  for (const auto& [node, runtime] : runtimes_) {
    for (const Container& container : runtime->fake.containers()) {
      all.emplace_back(node, runtime->placed(container));
    }
  }
  return all;
}

const Container* Engines::find(const std::string& name, const std::string& node) const {
  for (const auto& [of, container] : containers()) {
    if (container.name == name && (node.empty() || node == of)) {
      found_ = container;
      return &found_;
    }
  }
  return nullptr;
}

const Container* Engines::find_by_address(const std::string& address) const {
  for (const auto& [node, container] : containers()) {
    if (container.address == address) {
      found_ = container;
      return &found_;
    }
  }
  return nullptr;
}

}  // namespace rowlock::simulator
