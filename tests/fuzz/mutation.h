// Changes of a seed as libFuzzer makes them, though blindly, and the same every time.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace rowlock {

// One to four changes of one of the seeds: bits, bytes, pieces left out, doubled or taken from
// another seed, and numbers and marks that readers stumble over. Requires: there is a seed.
std::string mutated(const std::vector<std::string>& seeds, std::mt19937_64& random);

}  // namespace rowlock
