// A change of a slot answers with what the proxy then says of it, and that is recorded: not what
// was asked for.
#include "reconcilers/routes/route.h"

#include "controller/ports/proxy.h"

namespace rowlock {

namespace {

// A proxy that hangs must not hold up the engines' lanes.
constexpr const char* kLane = "proxy/slots";

Outcome switch_mode(Proxy& proxy, const std::string& route, const std::string& mode) {
  const auto switched = proxy.set_mode(route, mode);
  return switched.ok() ? Outcome::done({{"mode", mode}}) : Outcome::of(switched.error());
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

}  // namespace

std::string Routes::lane(const Step&) const { return kLane; }

Outcome Routes::apply(const Step& step, World& world) const {
  CHECK(step.step == "switch");
  const Row& input = *step.input;
  return switch_mode(world.proxy(input.text("socket")), input.text("route"), input.text("mode"));
}

std::string RouteTargets::lane(const Step&) const { return kLane; }

Outcome RouteTargets::apply(const Step& step, World& world) const {
  const Row& input = *step.input;
  Proxy& proxy = world.proxy(input.text("socket"));
  const std::string route = input.text("route");
  ProxySlot slot;
  slot.number = static_cast<int>(input.integer("slot"));
  if (step.step == "look") return reported(proxy.look(route, slot.number));
  slot.ready = step.step == "admit";
  CHECK(slot.ready || step.step == "drain");
  slot.address = input.text("address");
  slot.port = static_cast<int>(input.integer("port"));
  slot.weight = static_cast<int>(input.integer("weight"));
  return as_told(slot.ready, reported(proxy.set_slot(route, slot)));
}

}  // namespace rowlock
