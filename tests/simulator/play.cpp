// A seed that fails prints the command that plays it again, also when a CHECK stops the program.
#include "tests/simulator/play.h"

#include "tests/soak.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <malloc.h>

namespace rowlock::simulator {

namespace {

const int kSeedsByDefault = soaked(150, 10'000);

constexpr int kKeptBytes = 256 << 20;

std::uint64_t playing = 0;

// A CHECK that stops the program must not hide which seed it was.
void tell_seed(int) {
  fmt::print(stderr, "the program stopped itself; to see it again: make simulate SEED={}\n",
             playing);
}

std::optional<std::uint64_t> number_of(const char* variable) {
  const char* const given = std::getenv(variable);
  if (given == nullptr || *given == '\0') return std::nullopt;
  return std::strtoull(given, nullptr, 10);
}

}  // namespace

std::string play(Stage& stage, std::uint64_t seed, std::int64_t* simulated_ms) {
  playing = seed;
  std::signal(SIGABRT, tell_seed);
  mallopt(M_TRIM_THRESHOLD,
          kKeptBytes);  // A plan needs much for a moment: do not give it back each time.
  Simulation simulation(stage, seed);
  const Violated violated = simulation.run();
  if (simulated_ms != nullptr) *simulated_ms += simulation.elapsed_ms();
  if (!violated) return "";
  Simulation again(stage, seed);
  again.tell_all();
  (void)again.run();
  return fmt::format("seed {}: {}\nits last moments:\n{}to see it again: make simulate SEED={}",
                     seed, *violated, again.story(), seed);
}

std::optional<std::uint64_t> one_seed() { return number_of("ROWLOCK_SIMULATOR_SEED"); }

std::uint64_t seeds_to_play() {
  return number_of("ROWLOCK_SIMULATOR_SEEDS").value_or(static_cast<std::uint64_t>(kSeedsByDefault));
}

}  // namespace rowlock::simulator
