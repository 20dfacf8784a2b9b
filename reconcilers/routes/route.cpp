// A change of a slot answers with what the proxy then says of it, and that is recorded: not what
// was asked for.
#include "reconcilers/routes/route.h"

#include "controller/ports/proxy.h"

namespace rowlock {

namespace {

// A proxy that hangs must not hold up the engines' lanes.
std::string lane(const Step&) { return "proxy/slots"; }

Proxy& proxy_of(const Step& step, World& world) { return world.proxy(step.input->text("socket")); }

Outcome switch_mode(const Step& step, World& world) {
  const std::string mode = step.input->text("mode");
  TRY(proxy_of(step, world).set_mode(step.input->text("route"), mode));
  return Outcome::done({{"mode", mode}});
}

// What the proxy says of the slot, as the scripts of route_target take it. No such slot is an
// answer too: another configuration runs than was thought, and a worker from before a reload may
// still know it.
Outcome reported(const Result<SlotReport>& report) {
  if (!report.ok() && report.error().cause == Cause::not_found) {
    return Outcome::done({{"acknowledged", "absent"},
                          {"address", ""},
                          {"port", std::int64_t{0}},
                          {"weight", std::int64_t{0}},
                          {"lingers", std::int64_t{1}}});
  }
  if (!report.ok()) {
    return Outcome::of(report.error());
  }
  const SlotReport& said = report.value();
  return Outcome::done({{"acknowledged", said.ready ? "ready" : "down"},
                        {"address", said.address},
                        {"port", std::int64_t{said.port}},
                        {"weight", std::int64_t{said.weight}},
                        {"sessions", said.sessions},
                        {"lingers", std::int64_t{said.lingers}}});
}

// What it says after it was told something may be another thing: somebody else has undone it.
Outcome as_told(bool ready, Outcome outcome) {
  if (outcome.kind != Outcome::Kind::done) return outcome;
  const std::string said = text_of(outcome.values.front().second);
  if ((said == "ready") == ready) return outcome;
  outcome.kind = Outcome::Kind::transient;
  outcome.result = "undone";
  outcome.detail = "the proxy says that it is " + said;
  return outcome;
}

int slot_of(const Step& step) { return static_cast<int>(step.input->integer("slot")); }

Outcome set_slot(const Step& step, World& world, bool is_ready) {
  const Row& input = *step.input;
  ProxySlot slot;
  slot.number = slot_of(step);
  slot.ready = is_ready;
  slot.address = input.text("address");
  slot.port = static_cast<int>(input.integer("port"));
  slot.weight = static_cast<int>(input.integer("weight"));
  return as_told(is_ready, reported(proxy_of(step, world).set_slot(input.text("route"), slot)));
}

Outcome admit(const Step& step, World& world) { return set_slot(step, world, true); }
Outcome drain(const Step& step, World& world) { return set_slot(step, world, false); }

Outcome look(const Step& step, World& world) {
  return reported(proxy_of(step, world).look(step.input->text("route"), slot_of(step)));
}

}  // namespace

std::vector<Hand> route_hands() { return {{.step = "switch", .lane = lane, .make = switch_mode}}; }

std::vector<Hand> route_target_hands() {
  return {
      {.step = "admit", .lane = lane, .make = admit},
      {.step = "drain", .lane = lane, .make = drain},
      {.step = "look", .lane = lane, .make = look},
  };
}

}  // namespace rowlock
