// The world outside: two engines, the programs in their containers, and the probes that ask how
// those are. It breaks as the weather says, and keeps the truth that the checkers compare Rowlock's
// rows with.
#pragma once

#include "controller/ports/clock.h"
#include "controller/ports/container_runtime.h"
#include "controller/ports/prober.h"
#include "tests/fakes/fake_world.h"
#include "tests/simulator/timeline.h"
#include "tests/simulator/weather.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace rowlock::simulator {

// Programs by their image's name: web runs well, sick never passes a check, crash ends at once,
// ghost is in no registry.
bool is_good(const std::string& image);

constexpr std::int64_t kCheckTimeoutMs = 1000;  // Of every check that the engineer asks for.

constexpr const char* kWrongPath = "/wrong";  // No program answers it well.

// How a container answered a check, so often in a row, and before it last turned: Rowlock may not
// have heard of that yet.
struct Streak {
  std::int64_t passes = 0;
  std::int64_t failures = 0;
  std::int64_t passes_before = 0;
  std::int64_t failures_before = 0;
  std::int64_t turned_at_ms = 0;

  // The most that Rowlock may believe at that moment.
  std::int64_t passes_at(std::int64_t now_ms) const { return most(passes, passes_before, now_ms); }
  std::int64_t failures_at(std::int64_t now_ms) const {
    return most(failures, failures_before, now_ms);
  }

 private:
  std::int64_t most(std::int64_t now, std::int64_t before, std::int64_t now_ms) const {
    constexpr std::int64_t kHeardWithinMs = 8000;
    return now_ms - turned_at_ms < kHeardWithinMs && before > now ? before : now;
  }
};

// A call that reached an engine, and what it is about to be done to; null when there is no such
// container.
struct Call {
  std::string node;
  std::string verb;
  std::string container;
  const Container* found;
};

class Engines final : public FakeWorld, public Prober {
 public:
  Engines(Timeline& timeline, Random& random, const Weather& weather);
  ~Engines() override;

  // -- The ports.
  ContainerRuntime& runtime(const std::string& driver, const std::string& endpoint) override;
  Prober& prober() override { return *this; }
  Clock& clock() override { return timeline_; }
  void probe(const Probe& probe, std::function<void(const ProbeResult&)> done) override;

  // Half of the images declare a path as data.
  void declare_volumes();

  // -- What happens by itself.
  void calm();  // From now on nothing fails.
  void take_away(const std::string& node, std::int64_t for_ms);
  void flap(const std::string& container, std::int64_t for_ms);
  FakeRuntime& engine(const std::string& node);
  std::vector<std::string> nodes() const;
  static std::string endpoint_of(const std::string& node);

  // The next call is one whose answer nobody waits for: it was on its way when the controller was
  // killed, or came too late.
  void be_late(bool late) {
    late_ = late;
    has_died_ = false;
  }

  // Asked before a call does anything; told of hints after it.
  void on_call(std::function<void(const Call&)> listener) { on_call_ = std::move(listener); }
  void on_hint(std::function<void(const std::string& container)> listener);
  void on_answer(std::function<void(const std::string& container, bool passed)> listener) {
    on_answer_ = std::move(listener);
  }

  // -- The truth.
  std::vector<std::pair<std::string, Container>> containers() const;  // With their nodes.
  // Until the next call. On one node, or on whichever has it.
  const Container* find(const std::string& name, const std::string& node = "") const;
  std::string bytes(const std::string& container) const;               // That it was made from.
  std::vector<Mount> kept(const std::string& container) const;         // The volumes of it.
  const Container* find_by_address(const std::string& address) const;  // Until the next call.
  const Streak& streak(const std::string& container, const std::string& check) {
    return streaks_[{container, check}];
  }
  // When nobody can tell which answers were recorded, no streak is held against Rowlock.
  void doubt_streaks(const std::string& container = "");  // Of all, if none is named.
  bool was_touched_late(const std::string& container) const {
    return touched_late_.contains(container);
  }

 private:
  class Runtime;

  void push_now_and_then();
  FaultPlan before_call(const std::string& node, const std::string& verb, const std::string& name);
  FaultPlan drawn_fault();
  FaultPlan fault_of_transfer();
  bool passes_now(const Container& container) const;
  void note_answer(const std::string& container, const std::string& check, bool passed);

  Timeline& timeline_;
  Random& random_;
  Weather weather_;
  Random push_dice_{7};  // The same for every seed: other weather is as it would be without.
  bool is_calm_ = false;
  std::map<std::string, std::unique_ptr<Runtime>> runtimes_;
  std::map<std::string, std::int64_t> away_until_ms_;
  std::map<std::string, std::int64_t> ready_at_ms_;     // A program takes a moment to start,
  std::map<std::string, std::int64_t> flaps_until_ms_;  // and may be unwell for a while.
  std::map<std::pair<std::string, std::string>, Streak> streaks_;
  std::set<std::string> touched_late_;
  std::function<void(const Call&)> on_call_;
  std::function<void(const std::string&, bool)> on_answer_;
  mutable Container found_;
  bool late_ = false;
  bool has_died_ = false;  // The controller, in the middle of the late step.
};

}  // namespace rowlock::simulator
