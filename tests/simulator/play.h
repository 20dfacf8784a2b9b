// Playing seeds, and telling how to play one again.
#pragma once

#include "tests/simulator/simulation.h"

#include <cstdint>
#include <string>

namespace rowlock::simulator {

// Plays one seed. Empty when nothing was violated; else what was, the last things that happened,
// and the command that plays it again. Adds to `simulated_ms` how long it took on the virtual
// clock.
std::string play(Stage& stage, std::uint64_t seed, std::int64_t* simulated_ms = nullptr);

// The seed that is asked for with ROWLOCK_SIMULATOR_SEED, if any.
std::optional<std::uint64_t> one_seed();

// How many are to be played: ROWLOCK_SIMULATOR_SEEDS, or so many as take no more than a minute.
std::uint64_t seeds_to_play();

}  // namespace rowlock::simulator
