// The keeper of the secrets in a simulation: makes the store, writes versions, seals and opens it,
// and looks whether instances hold what they should, and the ledger says so.
#pragma once

#include "controller/secrets/secrets.h"
#include "tests/simulator/engines.h"
#include "tests/simulator/invariants.h"
#include "tests/simulator/random.h"
#include "tests/simulator/stage.h"

#include <string>

namespace rowlock::simulator {

class Keeper {
 public:
  Keeper(Stage& stage, Timeline& timeline, Engines& engines, std::uint64_t seed);

  Secrets& secrets() { return secrets_; }
  bool is_at_work() const { return is_at_work_; }  // In every second simulation.

  std::int64_t delay_ms(std::int64_t most) { return random_.between(1, most); }
  bool seals_now() { return random_.chance(250); }  // Or writes a version.

  void begin();              // Makes the store, with two secrets.
  void controller_starts();  // Sealed, as after any start.
  void open();
  void seal();
  std::string write();  // A new version, if it is open. Returns of what.

  // What instances hold is in the ledger.
  Violated look();
  // No instance starts without the folder that it was promised.
  Violated judge(const Call& call);
  // What must be so in the end; "" when it is.
  std::string unsettled();

 private:
  void write(const std::string& path);
  template <typename Act>
  void change(Act act);
  std::string held(const std::string& folder) const;

  Stage& stage_;
  Timeline& timeline_;
  Engines& engines_;
  Random random_;
  bool is_at_work_;
  Secrets secrets_;
  SecretBytes key_;
};

}  // namespace rowlock::simulator
