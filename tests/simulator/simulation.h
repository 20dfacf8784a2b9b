// The whole controller, its real SQL and its real reconcilers, in a world that fails, on a virtual
// clock, from one seed. First comes the chaos that the weather makes; then all is calm, and what is
// wanted must come to be; then an exam: a last change of every job, of which it is known what must
// become.
#pragma once

#include "controller/base/log.h"
#include "controller/controller.h"
#include "reconcilers/work/check.h"
#include "tests/simulator/archivist.h"
#include "tests/simulator/ending.h"
#include "tests/simulator/engineer.h"
#include "tests/simulator/engines.h"
#include "tests/simulator/hands.h"
#include "tests/simulator/invariants.h"
#include "tests/simulator/keeper.h"
#include "tests/simulator/stage.h"
#include "tests/simulator/timeline.h"
#include "tests/simulator/traffic.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rowlock::simulator {

class Simulation {
 public:
  Simulation(Stage& stage, std::uint64_t seed);  // In the weather of that seed.
  Simulation(Stage& stage, std::uint64_t seed, const Weather& weather);
  ~Simulation();

  // Plays it to its end. Returns what was violated, or nothing.
  Violated run();

  // For a test that plays out one story of its own.
  void start();
  Violated settle(Standard standard);  // Lets time pass until all is as it must be in the end.
  void carry_requests();               // From now on, through every route.
  void crash();
  void crash_after(std::int64_t delay_ms);
  Engineer& engineer() { return engineer_; }
  Hands& hands() { return hands_; }
  Engines& engines() { return engines_; }
  Traffic& traffic() { return traffic_; }

  std::int64_t elapsed_ms() const { return timeline_.elapsed_ms(); }  // On the virtual clock.
  void tell_all() { tells_all_ = true; }
  std::string story() const;  // The last things that happened; needs tell_all().

 private:
  struct Process;  // What is gone when the controller is killed.

  void play_until(std::int64_t moment_ms);
  void wake(std::int64_t after_ms);
  void pass();
  void look();  // After a pass: takes the rows and asks every invariant.
  void judge(const Call& call);
  Violated judge_stranger(const Call& call) const;
  void judge(const ProxyCall& call);
  void restart();
  void stir();  // Starts all that goes wrong by itself.
  void now_and_then(std::int64_t every_ms, std::function<void()> happens) {
    now_and_then(every_ms, random_, std::move(happens));
  }
  void now_and_then(std::int64_t every_ms, Random& dice, std::function<void()> happens);
  void harm(const std::string& what);
  void lose_a_row();
  void put_back_state();
  void remove_strangers();
  void stir_proxy();
  void stir_secrets();
  void stir_backups();
  void stir_clocks();
  void suspend(std::int64_t for_ms);
  void awaken() {
    if (is_suspended()) naps_.back().second = timeline_.now_ms();
    asleep_until_ms_ = 0;
  }
  bool is_suspended() const { return timeline_.now_ms() < asleep_until_ms_; }
  Violated judge_deadlines(const Snapshot& after);
  void hint(const std::string& kind, const std::string& target);
  void violate(const std::string& what);
  void tell(const std::string& what);
  void tell_plan();
  void tell_changes(const Snapshot& after);
  void tell_routes(const Snapshot& after);

  Stage& stage_;
  Random random_;
  Weather weather_;
  Timeline timeline_;
  Engines engines_;
  Traffic traffic_;
  Hands hands_;
  Engineer engineer_;
  Log log_;
  Keeper keeper_;
  Archivist archivist_;
  Reconcilers reconcilers_;
  std::unique_ptr<Process> process_;
  Snapshot rows_;
  std::vector<std::unique_ptr<Invariant>> invariants_;
  Violated violated_;
  std::map<std::string, std::string> proven_;  // See Engineer::set_exam().
  std::deque<std::string> story_;
  Random clock_dice_;  // Of its own: other weather is as it would be without.
  Random past_dice_;   // So has this.
  bool has_past_;      // An older state.db is put back now and then.
  std::vector<std::pair<std::int64_t, std::int64_t>> naps_;  // From when to when it stood still.
  std::int64_t asleep_until_ms_ = 0;
  bool is_calm_ = false;
  bool tells_all_ = false;
};

}  // namespace rowlock::simulator
