// A checker that never finds anything proves nothing: each mutant must be caught, within a bounded
// number of seeds. ROWLOCK_SIMULATOR_MUTANT=TEXT plays those alone whose name holds the text.
#include "tests/simulator/mutants.h"
#include "tests/simulator/play.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

using namespace rowlock;
using namespace rowlock::simulator;

namespace {

constexpr std::uint64_t kSeedsMax = 300;
constexpr std::size_t kParts = 4;

// The seed that caught it, if any did.
std::optional<std::uint64_t> seed_that_catches(const Mutant& mutant, std::string& how) {
  const MutatedSchema mutated(mutant);
  cr_assert(mutated.missing().empty(), "%s: the schema has no such text any more: %s",
            mutant.name.data(), mutated.missing().c_str());
  const Schema schema = mutated.schema();
  Stage stage(schema);
  std::vector<std::uint64_t> seeds = {mutant.caught_by};
  for (std::uint64_t seed = 0; seed < kSeedsMax; ++seed) seeds.push_back(seed);
  for (const std::uint64_t seed : seeds) {
    if (const Violated violated = Simulation(stage, seed).run()) {
      how = *violated;
      return seed;
    }
  }
  return std::nullopt;
}

void catch_part(std::size_t part) {
  const std::vector<Mutant> mutants = all_mutants();
  const char* const chosen = std::getenv("ROWLOCK_SIMULATOR_MUTANT");
  for (std::size_t i = part; i < mutants.size(); i += kParts) {
    if (mutants[i].name.find(chosen == nullptr ? "" : chosen) == std::string_view::npos) continue;
    std::string how;
    const std::optional<std::uint64_t> seed = seed_that_catches(mutants[i], how);
    cr_expect(seed.has_value(), "nobody saw within %lu seeds that %s", kSeedsMax,
              mutants[i].name.data());
    if (seed)
      fmt::print(stderr, "mutant: {}: caught by seed {}: {}\n", mutants[i].name, *seed, how);
  }
}

}  // namespace

Test(simulator_mutants, every_mutant_is_caught_1) { catch_part(0); }
Test(simulator_mutants, every_mutant_is_caught_2) { catch_part(1); }
Test(simulator_mutants, every_mutant_is_caught_3) { catch_part(2); }
Test(simulator_mutants, every_mutant_is_caught_4) { catch_part(3); }
