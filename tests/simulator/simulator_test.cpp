// Many seeds, each a small world in which everything fails now and then. Split in parts, so that
// each core has its own.
#include "tests/simulator/play.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <ctime>

using namespace rowlock;
using namespace rowlock::simulator;

namespace {

constexpr std::uint64_t kParts = 4;
constexpr int kFailuresMax = 20;  // One tells little of how often a fault shows, and of its kind.

void play_part(std::uint64_t part) {
  const Schema schema;
  Stage stage(schema);
  if (const auto seed = one_seed()) {
    if (*seed % kParts != part) return;
    const std::string violated = play(stage, *seed);
    cr_assert(violated.empty(), "%s", violated.c_str());
    return;
  }
  const std::clock_t begun = std::clock();
  std::int64_t simulated_ms = 0;
  std::uint64_t played = 0;
  int failed = 0;
  for (std::uint64_t seed = part; seed < seeds_to_play(); seed += kParts) {
    const std::string violated = play(stage, seed, &simulated_ms);
    cr_expect(violated.empty(), "%s", violated.c_str());
    failed += violated.empty() ? 0 : 1;
    cr_assert(failed < kFailuresMax, "so many seeds failed that the rest is not played");
    ++played;
  }
  const double cpu_s = static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
  fmt::print(stderr, "simulator: {} seeds, {:.1f} a second of CPU, {:.0f} simulated seconds each\n",
             played, static_cast<double>(played) / cpu_s,
             static_cast<double>(simulated_ms) / 1000 / cpu_s);
}

}  // namespace

Test(simulator, holds_its_invariants_over_many_seeds_1) { play_part(0); }
Test(simulator, holds_its_invariants_over_many_seeds_2) { play_part(1); }
Test(simulator, holds_its_invariants_over_many_seeds_3) { play_part(2); }
Test(simulator, holds_its_invariants_over_many_seeds_4) { play_part(3); }
