// What goes wrong by itself: each trouble begins anew a random time after the last, until all is
// calm.
#include "tests/simulator/simulation.h"

#include <fmt/format.h>

namespace rowlock::simulator {

namespace {

constexpr std::int64_t kKeepEveryMs = 10000;
constexpr std::int64_t kPutBackEveryMs = 15000;

}  // namespace

void Simulation::now_and_then(std::int64_t every_ms, Random& dice, std::function<void()> happens) {
  if (every_ms == 0) return;
  timeline_.after(dice.between(1, 2 * every_ms), [this, every_ms, &dice, happens] {
    if (is_calm_) return;
    happens();
    now_and_then(every_ms, dice, happens);
  });
}

void Simulation::suspend(std::int64_t for_ms) {
  if (!process_ || is_suspended()) return;
  tell(fmt::format("the controller stands still for {} ms", for_ms));
  asleep_until_ms_ = timeline_.now_ms() + for_ms;
  naps_.emplace_back(timeline_.now_ms(), asleep_until_ms_);
}

void Simulation::stir_clocks() {
  now_and_then(weather_.suspend_ms, clock_dice_,
               [this] { suspend(clock_dice_.between(4000, 90000)); });
  // A backup from a clock that was ahead is kept until that moment comes: nothing to be judged.
  if (archivist_.is_at_work()) return;
  now_and_then(weather_.wall_ms, clock_dice_, [this] {
    const std::int64_t ahead_ms = clock_dice_.between(-7'200'000, 7'200'000);
    tell(fmt::format("the wall clock is {} ms ahead", ahead_ms));
    timeline_.set_wall_clock(ahead_ms);
  });
}

void Simulation::stir() {
  stir_proxy();
  stir_clocks();
  if (keeper_.is_at_work()) stir_secrets();
  if (archivist_.is_at_work()) stir_backups();
  carry_requests();
  now_and_then(weather_.crash_ms, [this] { crash(); });
  if (has_past_) {
    now_and_then(kKeepEveryMs, past_dice_, [this] { stage_.keep_state(); });
    now_and_then(kPutBackEveryMs, past_dice_, [this] { put_back_state(); });
  }
  for (const auto& [what, every_ms] : {std::pair{"die", weather_.die_ms},
                                       {"pause", weather_.pause_ms},
                                       {"erase", weather_.erase_ms},
                                       {"flap", weather_.flap_ms},
                                       {"hint", weather_.spurious_ms}}) {
    now_and_then(every_ms, [this, what = std::string(what)] { harm(what); });
  }
  now_and_then(weather_.unreachable_ms, [this] {
    const std::string node = random_.pick(engines_.nodes());
    tell("unreachable: " + node);
    engines_.take_away(node, random_.between(1000, 20000));
  });
  now_and_then(weather_.edit_ms, [this] {
    tell("edit: " + engineer_.edit());
    if (random_.chance(800)) wake(random_.between(1, 20));
  });
}

void Simulation::stir_proxy() {
  now_and_then(weather_.proxy_dies_ms, [this] {
    tell("the proxy is killed");
    traffic_.kill();
  });
  now_and_then(weather_.by_hand_ms, [this] {
    const bool restarts = random_.chance(500);
    tell(restarts ? "the proxy is restarted by hand" : "the proxy is reloaded by hand");
    restarts ? traffic_.restart_by_hand() : traffic_.reload_by_hand();
  });
  now_and_then(weather_.proxy_away_ms, [this] {
    tell("the proxy cannot be reached");
    traffic_.take_away(random_.between(1000, 20000));
  });
  now_and_then(weather_.refuses_ms,
               [this] { traffic_.refuse_saves(random_.between(1000, 20000)); });
  now_and_then(weather_.lingers_ms, [this] { traffic_.linger(random_.between(1000, 20000)); });
}

// By the keeper's own dice: a seed has the same weather with and without secrets.
void Simulation::stir_secrets() {
  timeline_.after(keeper_.delay_ms(30000), [this] {
    if (is_calm_) return;
    if (keeper_.seals_now()) {
      tell("the store is sealed");
      keeper_.seal();
      timeline_.after(keeper_.delay_ms(30000), [this] {
        keeper_.open();
        wake(1);
      });
    } else {
      tell("a version is written: " + keeper_.write());
    }
    wake(1);
    stir_secrets();
  });
}

void Simulation::stir_backups() {
  timeline_.after(archivist_.delay_ms(20000), [this] {
    if (is_calm_) return;
    tell("a backup is asked for");
    engineer_.run(archivist_.edit());
    wake(1);
    stir_backups();
  });
}

// Until the end: in calm weather, too, requests are under way.
void Simulation::carry_requests() {
  timeline_.after(random_.between(1, 2 * weather_.request_ms), [this] {
    traffic_.request();
    carry_requests();
  });
}

void Simulation::harm(const std::string& what) {
  std::vector<std::pair<std::string, std::string>> ours;
  for (const auto& [node, container] : engines_.containers()) {
    if (container.home == kHomeId) ours.emplace_back(node, container.name);
  }
  if (ours.empty()) return;
  const auto [node, name] = random_.pick(ours);
  tell(what + " " + name);
  if (what == "die") engines_.engine(node).kill(name, static_cast<int>(random_.between(0, 137)));
  if (what == "pause") engines_.engine(node).pause(name);
  if (what == "erase") engines_.engine(node).erase(name);
  if (what == "flap") engines_.flap(name, random_.between(1000, 20000));
  if (what == "hint") hint("instance", random_.chance(500) ? name : "no-such-container");
}

}  // namespace rowlock::simulator
