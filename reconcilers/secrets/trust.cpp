// One call on the port: the key set as text. Whether it is taken is decided in SQL.
#include "reconcilers/secrets/trust.h"

#include "controller/ports/key_sets.h"

namespace rowlock {

namespace {

// Each its own: one that hangs holds up no other.
std::string lane(const Step& step) { return "trust/" + step.target; }

Outcome read(const Step& step, World& world) {
  const auto keys = TRY(world.key_sets().read(step.input->text("source")));
  return Outcome::done({{"keys", keys}});
}

}  // namespace

std::vector<Hand> trust_hands() { return {{.step = "read", .lane = lane, .make = read}}; }

}  // namespace rowlock
