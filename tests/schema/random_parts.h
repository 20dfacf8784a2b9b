// The parts that random_world.cpp puts together, one for each family of kinds.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace rowlock {

// Draws values from a seed.
class Dice {
 public:
  explicit Dice(unsigned int seed) : random_(seed) {}
  std::string one_of(const std::vector<std::string>& values) {
    return values[std::uniform_int_distribution<std::size_t>(0, values.size() - 1)(random_)];
  }
  // Before, at and after the moment of PlanWorld's clock.
  std::string moment() { return one_of({"0", "999000", "1000000", "2000000"}); }
  std::string moment_or_null() { return one_of({"NULL", moment()}); }
  std::string flag() { return one_of({"0", "1"}); }
  bool yes() { return flag() == "1"; }
  std::string node() { return one_of({"local", "other", "lost"}); }

 private:
  std::mt19937 random_;
};

// What jobs ask of secrets and what there is of them; before the specs are made of the jobs.
std::string random_secrets(Dice& dice);
// What instances have been given of them, and whose tokens are believed; after the instances.
std::string random_deliveries(Dice& dice);
std::string random_backups(Dice& dice);
// Routes to the jobs a and b, and a proxy in any state; after the instances.
std::string random_routes(Dice& dice);

}  // namespace rowlock
