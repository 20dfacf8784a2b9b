// Steps are made here instead of on threads, with the limits of the workers: each at some later
// moment, and its answer arrives later still. Some hang until their deadline, whether the change
// was made or not; the controller may be killed in between.
#pragma once

#include "controller/reconciler.h"
#include "tests/simulator/engines.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rowlock::simulator {

class Hands final : public Executor {
 public:
  enum class Moment { before, after, recorded };  // The step was made, then its answer was given.

  Hands(Timeline& timeline, Random& random, Engines& engines, const Weather& weather)
      : timeline_(timeline), random_(random), engines_(engines), weather_(weather) {}

  void submit(const Place& place, std::function<Outcome()> work,
              std::function<void(Outcome)> done) override;

  // The controller was killed: what was under way is made all the same, or not. Nobody hears of it.
  // What no engine keeps for later is made by then or never.
  void drop_all();

  void calm() { weather_ = Weather{}; }

  // Called around each step that changes something, with its number. True: the controller was
  // killed by it.
  void on_step(std::function<bool(int step, Moment moment)> listener) {
    on_step_ = std::move(listener);
  }
  int steps() const { return steps_; }
  bool is_idle() const;

 private:
  struct Pending {
    std::string lane;
    std::uint64_t ticket = 0;
    std::function<Outcome()> work;
    std::function<void(Outcome)> done;
    bool is_bound = false;
    int number = 0;  // Of a step that changes something, from 1.
    bool is_made = false;
    bool is_dropped = false;  // It will not be made,
    bool is_unheard = false;  // or nobody hears of it.
    bool hangs = false;
    Outcome outcome;
  };

  void begin_all();
  void begin(const std::shared_ptr<Pending>& pending);
  void make(const std::shared_ptr<Pending>& pending);
  void answer(const std::shared_ptr<Pending>& pending);
  bool is_cut(const Pending& pending, Moment moment);

  Timeline& timeline_;
  Random& random_;
  Engines& engines_;
  Weather weather_;
  Lanes lanes_;
  std::uint64_t submitted_ = 0;
  std::int64_t looks_at_ms_ = 0;                               // At the lanes again.
  std::map<std::uint64_t, std::shared_ptr<Pending>> waiting_;  // For a place in their lanes.
  std::vector<std::shared_ptr<Pending>> under_way_;
  std::function<bool(int, Moment)> on_step_;
  int steps_ = 0;
};

}  // namespace rowlock::simulator
