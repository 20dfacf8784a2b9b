// One call on the port: the key set as text. Whether it is taken is decided in SQL.
#include "reconcilers/secrets/trust.h"

#include "controller/ports/key_sets.h"

namespace rowlock {

// Each its own: one that hangs holds up no other.
std::string Trusts::lane(const Step& step) const { return "trust/" + step.target; }

Outcome Trusts::apply(const Step& step, World& world) const {
  CHECK(step.step == "read");
  const auto keys = world.key_sets().read(step.input->text("source"));
  return keys.ok() ? Outcome::done({{"keys", keys.value()}}) : Outcome::of(keys.error());
}

}  // namespace rowlock
