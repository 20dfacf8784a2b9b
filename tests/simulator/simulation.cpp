// Everything that happens is an entry on one timeline, the controller's passes included, so one
// thread plays all of it and a seed plays the same each time. Read run() first.
#include "tests/simulator/simulation.h"

#include "reconcilers/registry.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock::simulator {

namespace {

constexpr std::int64_t kShortNapMs = 3000;
constexpr std::uint64_t kSeedsPerVolumes = 3;  // In every third world, images declare data.
constexpr std::uint64_t kSeedsPerPast = 4;

constexpr std::size_t kStoryMax = 120;
constexpr std::int64_t kSettleMs = 600000;  // Within so long everything must be as it is to be.
constexpr std::int64_t kLookEveryMs = 1000;
constexpr std::int64_t kStableMs = 8000;  // And stay so, over two looks at every node.

std::FILE* nowhere() {
  static std::FILE* const file = std::fopen("/dev/null", "w");
  return file;
}

}  // namespace

struct Simulation::Process {
  DesiredFile desired;
  Controller controller;
  Checks checks;
  std::optional<std::int64_t> pass_at_ms;  // The next one that is on the timeline.
  bool runs = true;

  Process(Simulation& of, std::function<void()> wake)
      : desired(of.stage_.home().desired_path(), of.stage_.schema()),
        controller({of.stage_.state(), of.stage_.schema(), desired, of.reconcilers_, of.engines_,
                    of.hands_, of.log_, std::move(wake),
                    [&of] { return of.keeper_.secrets().rights.accepted(); }}),
        checks(
            of.stage_.state(), of.engines_, of.hands_,
            [this, &of](const std::string& script, Values values) {
              controller.note(script, std::move(values));
              of.wake(1);
            },
            [&of] { of.wake(1); }) {}
};

Simulation::Simulation(Stage& stage, std::uint64_t seed)
    : Simulation(stage, seed, [&] {
        Random random(seed ^ 0x5EED);
        return Weather::drawn_from(random);
      }()) {}

Simulation::Simulation(Stage& stage, std::uint64_t seed, const Weather& weather)
    : stage_(stage),
      random_(seed),
      weather_(weather),
      engines_(timeline_, random_, weather),
      traffic_(timeline_, random_, engines_.fake_proxy(), weather),
      hands_(timeline_, random_, engines_, weather),
      engineer_(timeline_, random_, stage),
      log_(Log::Format::json, nowhere(), Log::Level::error),
      keeper_(stage, timeline_, engines_, seed),
      archivist_(stage, engines_, seed),
      reconcilers_(all_reconcilers(keeper_.secrets(), stage.state(), stage.schema())),
      invariants_(all_invariants()),
      clock_dice_(seed ^ 0xC10C),
      past_dice_(seed ^ 0x01D),
      // Versions and backups that an older one does not know are lost, as they would be.
      has_past_(seed % kSeedsPerPast == 3 && seed % kSeedsPerVolumes != 0 &&
                !keeper_.is_at_work() && !archivist_.is_at_work()) {
  engines_.on_call([this](const Call& call) { judge(call); });
  engines_.on_hint([this](const std::string& container) { hint("instance", container); });
  traffic_.on_call([this](const ProxyCall& call) { judge(call); });
  traffic_.on_end([this] { hint("proxy", ""); });
  engines_.on_answer([this](const std::string& container, bool passed) {
    if (tells_all_) tell(fmt::format("check of {} {}", container, passed ? "passed" : "failed"));
  });
  stage_.clear();
  // An engine that is away cannot say which names it has, and another may then get one of them.
  if (has_past_) weather_.unreachable_ms = 0;
  if (seed % kSeedsPerVolumes == 0) engineer_.keep_data(engines_);
  keeper_.begin();
  archivist_.begin();
  if (keeper_.is_at_work()) engineer_.ask_for_secrets(seed);
}

Simulation::~Simulation() = default;

Violated Simulation::run() {
  start();
  engineer_.begin();
  if (archivist_.is_at_work()) engineer_.run(archivist_.rows());
  wake(1);
  stir();
  play_until(timeline_.now_ms() + random_.between(20000, 80000));
  is_calm_ = true;
  weather_ = Weather{};
  engines_.calm();
  traffic_.calm();
  hands_.calm();
  archivist_.calm();
  awaken();
  wake(1);
  engineer_.tidy_up();
  tell("all is calm");
  if (Violated violated = settle(Standard::lenient)) return violated;
  proven_ = engineer_.set_exam();
  tell("exam");
  return settle(Standard::strict);
}

void Simulation::start() { restart(); }

Violated Simulation::settle(Standard standard) {
  const std::int64_t deadline_ms = timeline_.now_ms() + kSettleMs;
  std::int64_t stable_since_ms = -1;
  std::string missing;
  while (!violated_ && timeline_.now_ms() < deadline_ms) {
    play_until(timeline_.now_ms() + kLookEveryMs);
    if (has_past_) remove_strangers();
    missing = unsettled(stage_, engines_, standard, proven_);
    if (missing.empty()) missing = keeper_.unsettled();
    if (missing.empty()) missing = archivist_.unsettled();
    if (!missing.empty()) {
      stable_since_ms = -1;
    } else if (stable_since_ms < 0) {
      stable_since_ms = timeline_.now_ms();
    } else if (timeline_.now_ms() - stable_since_ms >= kStableMs) {
      return std::nullopt;
    }
  }
  if (!violated_) violate("does not settle: " + missing);
  return violated_;
}

void Simulation::play_until(std::int64_t moment_ms) {
  bool is_over = false;
  timeline_.at(moment_ms, [&is_over] { is_over = true; });
  while (!is_over && !violated_) timeline_.step();
}

// ---- The controller -----------------------------------------------------------------------------

void Simulation::restart() {
  awaken();
  process_ = std::make_unique<Process>(*this, [this] { wake(1); });
  tell("the controller starts");
  keeper_.controller_starts();
  timeline_.after(is_calm_ ? 1 : keeper_.delay_ms(20000), [this] {
    keeper_.open();
    wake(1);
  });
  if (auto begun = process_->controller.begin(); !begun.ok()) violate(begun.error().message);
  pass();
}

void Simulation::crash() {
  if (!process_) return;
  tell("the controller is killed");
  hands_.drop_all();
  engines_.stores.forget_running();
  process_.reset();
  engines_.doubt_streaks();
  if (random_.chance(10)) {
    stage_.reopen_state();
  } else {
    stage_.forget_connection();
  }
  if (random_.chance(weather_.rows_lost)) lose_a_row();
  timeline_.after(random_.chance(800) ? random_.between(1, 2000) : random_.between(2000, 40000),
                  [this] { restart(); });
}

void Simulation::crash_after(std::int64_t delay_ms) {
  timeline_.after(delay_ms, [this] { crash(); });
}

// An engine that said by mistake that a container was gone had its row forgotten; the container is
// then nobody's, and known to have been let go.
void Simulation::lose_a_row() {
  CHECK(stage_.state()
            .run("INSERT INTO let_go (instance, nonce) SELECT id, nonce FROM instance WHERE id = "
                 "(SELECT min(id) FROM instance WHERE run = 1);"
                 "DELETE FROM instance WHERE id = (SELECT min(id) FROM instance WHERE run = 1)")
            .ok());
  stage_.forget_connection();
  rows_ = take_snapshot(stage_.state(), rows_);
  tell("a row was lost");
}

void Simulation::put_back_state() {
  if (!process_) return;
  crash();
  if (!stage_.put_back_state()) return;
  rows_ = take_snapshot(stage_.state(), rows_);
  tell("an older state.db is put back");
}

// What an older state.db never had is a person's to decide about.
void Simulation::remove_strangers() {
  const auto unknown = stage_.state().query(
      "SELECT s.node, s.name FROM stray AS s JOIN stray_fact AS f ON f.target "
      "= s.node || '/' || s.name WHERE f.past = 'unknown'");
  CHECK(unknown.ok());
  for (const Row& row : unknown.value()) {
    tell("a person removes " + row.text("name"));
    engines_.engine(row.text("node")).erase(row.text("name"));
  }
}

void Simulation::wake(std::int64_t after_ms) {
  if (!process_) return;
  const std::int64_t at_ms = timeline_.now_ms() + after_ms;
  if (process_->pass_at_ms && *process_->pass_at_ms <= at_ms) return;
  process_->pass_at_ms = at_ms;
  timeline_.at(at_ms, [this, at_ms, of = process_.get()] {
    if (process_.get() != of || process_->pass_at_ms != at_ms) return;
    pass();
  });
}

void Simulation::pass() {
  process_->pass_at_ms.reset();
  if (is_suspended()) return wake(asleep_until_ms_ - timeline_.now_ms());
  auto passed = process_->controller.pass();
  if (!passed.ok()) return violate("a pass failed: " + passed.error().message);
  const std::set<std::string>& planned = passed.value().names;
  if (!planned.empty()) {
    look();
    if (auto read = process_->checks.refresh(planned); !read.ok()) violate(read.error().message);
  }
  const std::int64_t now_ms = timeline_.now_ms();
  const std::optional<std::int64_t> asked_at_ms = process_->checks.ask_due();
  if (asked_at_ms) wake(std::max<std::int64_t>(1, *asked_at_ms - now_ms));
  if (passed.value().due_at_ms) wake(std::max<std::int64_t>(1, *passed.value().due_at_ms - now_ms));
}

void Simulation::look() {
  Snapshot after = take_snapshot(stage_.state(), rows_);
  if (tells_all_) {
    tell_changes(after);
    tell_routes(after);
  }
  // Answers from around a pause are dropped, and those before and after it stand in a row.
  for (const auto& [id, row] : after.instances) {
    const auto was = rows_.instances.find(id);
    const bool is_changed = was != rows_.instances.end() && was->second.container != row.container;
    if (is_changed) engines_.doubt_streaks(row.name);
  }
  if (after.reach != rows_.reach) engines_.doubt_streaks();
  const Turn turn{rows_, after, engines_, traffic_, timeline_.now_ms()};
  for (const auto& invariant : invariants_) {
    if (Violated found = invariant->after(turn)) violate(*found);
  }
  if (Violated found = judge_deadlines(after)) violate(*found);
  if (Violated found = keeper_.look()) violate(*found);
  if (Violated found = archivist_.look()) violate(*found);
  rows_ = std::move(after);
}

// Time in which nobody looked is not held against an instance.
Violated Simulation::judge_deadlines(const Snapshot& after) {
  for (const auto& [id, row] : after.instances) {
    const auto was = rows_.instances.find(id);
    if (row.reason != "it was not healthy within healthy_deadline_ms" || row.verdict != "failed" ||
        was == rows_.instances.end() || was->second.verdict == row.verdict) {
      continue;
    }
    const auto times = stage_.state().query(
        "SELECT COALESCE(i.started_at_ms, i.placed_at_ms) AS began_ms, j.healthy_deadline_ms AS "
        "most_ms FROM instance AS i JOIN job AS j ON j.name = i.job WHERE i.id = :id",
        {{"id", id}});
    CHECK(times.ok());
    for (const Row& time : times.value()) {
      const std::int64_t began_ms = time.integer("began_ms");
      std::int64_t watched_ms = timeline_.now_ms() - began_ms;
      for (const auto& [from_ms, until_ms] : naps_) {
        // It may be ended before its time; a short one is no gap (controller.cpp).
        const std::int64_t end_ms = std::min(until_ms, timeline_.now_ms());
        if (end_ms - from_ms <= kShortNapMs) continue;
        watched_ms -= std::max<std::int64_t>(0, end_ms - std::max(from_ms, began_ms));
      }
      if (watched_ms < time.integer("most_ms")) {
        return fmt::format("{} failed by its deadline after {} ms in which somebody looked",
                           row.name, watched_ms);
      }
    }
  }
  return std::nullopt;
}

void Simulation::judge(const Call& call) {
  if (tells_all_ && call.verb != "facts" && call.verb != "list") {
    tell(fmt::format("call {} {}", call.verb, call.container));
  }
  const Deed deed{call, rows_, engines_, traffic_, timeline_.now_ms()};
  for (const auto& invariant : invariants_) {
    if (Violated found = invariant->before(deed)) violate(*found);
  }
  if (Violated found = keeper_.judge(call)) violate(*found);
  if (Violated found = has_past_ ? judge_stranger(call) : std::nullopt) violate(*found);
}

// What this state.db never had is left alone, whatever its name and its labels.
Violated Simulation::judge_stranger(const Call& call) const {
  const bool ends_it = call.verb == "stop" || call.verb == "remove";
  if (!ends_it || call.found == nullptr || call.found->home != kHomeId) return std::nullopt;
  const auto known = stage_.state().query(
      "SELECT 1 FROM instance WHERE name = :name AND nonce = :nonce "
      "UNION ALL SELECT 1 FROM let_go WHERE nonce = :nonce",
      {{"name", call.container}, {"nonce", call.found->nonce}});
  CHECK(known.ok());
  if (!known.value().empty()) return std::nullopt;
  return fmt::format("{} of {}, which this state.db never had", call.verb, call.container);
}

void Simulation::judge(const ProxyCall& call) {
  if (tells_all_) {
    tell(fmt::format("proxy {} {} {} {} {}", call.verb, call.route, call.slot.number,
                     call.slot.ready ? "ready" : "", call.slot.address));
  }
  const ProxyDeed deed{call, rows_, engines_, traffic_, timeline_.now_ms()};
  for (const auto& invariant : invariants_) {
    if (Violated found = invariant->before_proxy(deed)) violate(*found);
  }
}

void Simulation::hint(const std::string& kind, const std::string& target) {
  if (!process_ || random_.chance(weather_.hints_lost)) return;
  timeline_.after(random_.between(1, 20), [this, kind, target, of = process_.get()] {
    if (process_.get() != of) return;
    process_->controller.hint(kind, target);
    wake(1);
  });
}

// ---- The story ----------------------------------------------------------------------------------

void Simulation::violate(const std::string& what) {
  tell("VIOLATED: " + what);
  tell_plan();
  if (!violated_) violated_ = fmt::format("at {} ms: {}", timeline_.elapsed_ms(), what);
}

void Simulation::tell(const std::string& what) {
  if (!tells_all_) return;
  story_.push_back(fmt::format("{:>8} {}", timeline_.elapsed_ms(), what));
  if (story_.size() > kStoryMax) story_.pop_front();
}

// What the controller would say of it.
void Simulation::tell_plan() {
  if (!tells_all_) return;
  for (const char* query :
       {"SELECT 'status ' || kind || ' ' || name || ' ' || state || ': ' || detail AS told "
        "FROM status WHERE state <> 'converged'",
        "SELECT 'plan ' || kind || ' ' || target || ' ' || step || ': ' || reason || "
        "COALESCE(', in ' || (due_at_ms - (SELECT now_ms FROM clock)) || ' ms', '') AS told "
        "FROM plan",
        "SELECT 'failed ' || kind || ' ' || target || ' ' || step || ', ' || tries || ' times: ' "
        "|| detail AS told FROM retry",
        "SELECT 'instance ' || i.name || ' ' || i.container || ' run ' || i.run || ', healthy at ' "
        "|| COALESCE(i.healthy_at_ms, 'never') || ', of ' || json_extract(s.body, '$.image') "
        "|| ', failed checks: ' || COALESCE((SELECT group_concat(k.name || '/' || k.on_failure) "
        "FROM failed_check AS k WHERE k.instance = i.id), 'none') AS told "
        "FROM instance AS i JOIN spec AS s ON s.id = i.spec",
        "SELECT 'route ' || name || ' to ' || job || ':' || port || "
        "COALESCE(' and ' || next_job, '') AS told FROM route",
        "SELECT 'target ' || target || ' of ' || job || ' wanted ' || wanted || ', proxy says ' "
        "|| acknowledged || ' ' || acknowledged_address || ', ended ' "
        "|| COALESCE(ended_at_ms, 'not') AS told FROM route_target ORDER BY listed_at_ms"}) {
    const auto rows = stage_.state().query(query);
    CHECK(rows.ok());
    for (const Row& row : rows.value()) tell(row.text("told"));
  }
}

void Simulation::tell_changes(const Snapshot& after) {
  for (const StepRow& step : after.begun) {
    if (step.step != "observe")
      tell(fmt::format("step {} {} of {}", step.step, step.target, step.name));
  }
  for (const auto& [node, reach] : after.reach) {
    const auto was = rows_.reach.find(node);
    if (was == rows_.reach.end() || was->second != reach)
      tell(fmt::format("node {} is {}", node, reach));
  }
  for (const auto& [id, row] : after.instances) {
    const auto was = rows_.instances.find(id);
    const bool is_new = was == rows_.instances.end();
    if (is_new || was->second.runs != row.runs || was->second.container != row.container ||
        was->second.healthy != row.healthy) {
      tell(fmt::format("row {} slot {} spec {}: {}{}{} {}", row.name, row.slot, row.spec,
                       row.runs ? "run " : "", row.container, row.healthy ? " healthy" : "",
                       row.reason));
    }
  }
}

void Simulation::tell_routes(const Snapshot& after) {
  for (const auto& [target, row] : after.targets) {
    const auto was = rows_.targets.find(target);
    const bool is_new = was == rows_.targets.end();
    if (is_new || was->second.is_wanted_ready != row.is_wanted_ready ||
        was->second.is_let_go != row.is_let_go) {
      tell(fmt::format("target {} at {}: {}{} {}", target, row.address,
                       row.is_wanted_ready ? "ready" : "down", row.is_let_go ? " let go" : "",
                       row.reason));
    }
  }
  for (const auto& [target, row] : rows_.targets) {
    if (!after.targets.contains(target)) tell("target " + target + " is over");
  }
}

std::string Simulation::story() const {
  std::string all;
  for (const std::string& line : story_) all += line + "\n";
  return all;
}

}  // namespace rowlock::simulator
