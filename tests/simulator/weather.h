// What can go wrong in one simulation, and how often. Each seed leaves some of it out: a world in
// which everything fails at once hides what a single failure does.
#pragma once

#include "tests/simulator/random.h"

#include <cstdint>

namespace rowlock::simulator {

struct Weather {
  // Of a thousand calls or steps.
  std::int64_t fails = 0;  // A call answers with an error and has done nothing.
  std::int64_t loses = 0;  // A call is made, and its answer is lost.
  std::int64_t hangs = 0;  // A step has no answer until its deadline; made at once, late, or never.
  std::int64_t hints_lost = 0;  // Of a thousand hints.
  // Not drawn yet: seed 22 ends in a signal with both.
  std::int64_t unheard = 0;    // Of a thousand probes: our own machine could not ask.
  std::int64_t unlisted = 0;   // Of a thousand containers: a list leaves it out.
  std::int64_t rows_lost = 0;  // Of a thousand restarts: an instance row is gone from state.db.
  // About every so many milliseconds; 0: never.
  std::int64_t crash_ms = 0;           // The controller is killed.
  std::int64_t die_ms = 0;             // A container ends.
  std::int64_t pause_ms = 0;           // A container is paused.
  std::int64_t erase_ms = 0;           // A container is removed.
  std::int64_t unreachable_ms = 0;     // A node is away for a while.
  std::int64_t flap_ms = 0;            // A program fails its checks for a while.
  std::int64_t spurious_ms = 0;        // A hint about nothing.
  std::int64_t edit_ms = 0;            // The engineer edits desired.db.
  std::int64_t proxy_dies_ms = 0;      // The proxy is killed,
  std::int64_t by_hand_ms = 0;         // restarted or reloaded by somebody else,
  std::int64_t proxy_away_ms = 0;      // not to be reached for a while,
  std::int64_t refuses_ms = 0;         // or refuses what is saved for a while.
  std::int64_t lingers_ms = 0;         // Its workers from before a reload stay for a while.
  std::int64_t wall_ms = 0;            // Somebody sets the wall clock, forth or back.
  std::int64_t suspend_ms = 0;         // The controller stands still for a while.
  std::int64_t request_ms = 700;       // A request begins,
  std::int64_t request_max_ms = 2000;  // and takes up to so long.
  std::int64_t latency_ms = 20;        // A call takes up to so long, and so does its answer.

  static Weather drawn_from(Random& random) {
    Weather drawn;
    const auto perhaps = [&random](std::int64_t& what, std::int64_t low, std::int64_t high) {
      if (random.chance(500)) what = random.between(low, high);
    };
    perhaps(drawn.fails, 5, 150);
    perhaps(drawn.loses, 5, 150);
    perhaps(drawn.hangs, 5, 60);
    perhaps(drawn.hints_lost, 100, 1000);
    perhaps(drawn.rows_lost, 100, 500);
    perhaps(drawn.crash_ms, 2000, 30000);
    perhaps(drawn.die_ms, 3000, 30000);
    perhaps(drawn.pause_ms, 5000, 30000);
    perhaps(drawn.erase_ms, 5000, 30000);
    perhaps(drawn.unreachable_ms, 10000, 40000);
    perhaps(drawn.flap_ms, 5000, 30000);
    perhaps(drawn.spurious_ms, 1000, 10000);
    perhaps(drawn.latency_ms, 20, 3000);
    perhaps(drawn.proxy_dies_ms, 4000, 30000);
    perhaps(drawn.by_hand_ms, 4000, 30000);
    perhaps(drawn.proxy_away_ms, 8000, 30000);
    perhaps(drawn.refuses_ms, 8000, 30000);
    perhaps(drawn.lingers_ms, 5000, 30000);
    perhaps(drawn.request_max_ms, 2000, 15000);
    drawn.edit_ms = random.between(3000, 20000);
    perhaps(drawn.unheard, 50, 900);
    perhaps(drawn.unlisted, 10, 1000);
    // Last, so that what was drawn before stays what it was.
    perhaps(drawn.wall_ms, 5000, 30000);
    perhaps(drawn.suspend_ms, 10000, 40000);
    return drawn;
  }
};

}  // namespace rowlock::simulator
