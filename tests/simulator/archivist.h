// Whoever sees to the backups in a simulation: asks for some, has them verified and the old ones
// deleted, and looks whether the store holds what the rows say.
#pragma once

#include "tests/simulator/engines.h"
#include "tests/simulator/invariants.h"
#include "tests/simulator/random.h"
#include "tests/simulator/stage.h"

#include <set>
#include <string>

namespace rowlock::simulator {

class Archivist {
 public:
  Archivist(Stage& stage, Engines& engines, std::uint64_t seed);

  bool is_at_work() const { return is_at_work_; }  // In every third simulation.
  std::int64_t delay_ms(std::int64_t most) { return random_.between(1, most); }

  void begin();        // A database on its server, and the file that opens the backups.
  std::string rows();  // What is asked for: a store, a database, and a policy that keeps one.
  std::string edit();  // One backup more; perhaps a server or the store goes or comes.
  void calm();         // All are back.

  // No object without a row; and of what was once restored and found equal, something stays.
  Violated look();
  // What must be so in the end; "" when it is.
  std::string unsettled() const;

 private:
  std::set<std::string> column(const std::string& query) const;
  std::vector<std::string> keys(bool are_pointers) const;

  Stage& stage_;
  Engines& engines_;
  Random random_;
  bool is_at_work_;
  int requests_ = 0;
  std::set<std::string> proven_;  // Objects that were verified, once.
};

}  // namespace rowlock::simulator
