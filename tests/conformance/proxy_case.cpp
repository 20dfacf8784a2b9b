// A proxy changes a moment after it was told, so looks are repeated until they fit or the patience
// ends; then the case says what it saw last.
#include "tests/conformance/proxy_case.h"

#include <algorithm>

namespace rowlock {

namespace {

constexpr auto kPause = std::chrono::milliseconds(10);

}  // namespace

ProxyRoute ProxyCase::route(const std::string& name, int slots) {
  ProxyRoute result;
  result.name = name;
  result.host = name + ".example.org";
  result.path = "/";
  result.maintenance_page = "<p>back soon</p>\n";
  result.response_timeout_ms = 5000;
  for (int number = 1; number <= slots; ++number) result.slots.push_back(free_slot(number));
  return result;
}

ProxyConfig ProxyCase::config(std::int64_t generation,
                              const std::vector<ProxyRoute>& routes) const {
  ProxyConfig result;
  result.generation = generation;
  result.home = fixture.home;
  result.listen = fixture.listen;
  result.routes = routes;
  return result;
}

void ProxyCase::save_and_start(const ProxyConfig& config) const {
  succeeds(proxy.save(config), "save");
  succeeds(proxy.start(), "start");
}

// ---- Looking -----------------------------------------------------------------------------------

ProxyReport ProxyCase::observed() const {
  const Result<ProxyReport> report = proxy.observe();
  succeeds(report, "observe");
  return report.ok() ? report.value() : ProxyReport{};
}

ProxyReport ProxyCase::observed_after_reload() const {
  const auto give_up = std::chrono::steady_clock::now() + kProxyPatience;
  ProxyReport report = observed();
  const auto lingers = [](const SlotReport& slot) { return slot.lingers; };
  while (std::any_of(report.slots.begin(), report.slots.end(), lingers) &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(kPause);
    report = observed();
  }
  expect(std::none_of(report.slots.begin(), report.slots.end(), lingers),
         "the worker from before the reload to end");
  return report;
}

void ProxyCase::is_gone() const {
  const auto give_up = std::chrono::steady_clock::now() + kProxyPatience;
  while (proxy.observe().ok() && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(kPause);
  }
  fails(proxy.observe(), Fault::transient, Cause::unreachable, "observe of one that was killed");
}

std::string ProxyCase::text_of(const std::vector<SlotReport>& slots) {
  std::vector<std::string> all;
  for (const SlotReport& slot : slots) {
    all.push_back(slot.route + "/" + std::to_string(slot.number) + " " + slot.address + ":" +
                  std::to_string(slot.port) + " x" + std::to_string(slot.weight) +
                  (slot.ready ? " ready" : " down"));
  }
  std::sort(all.begin(), all.end());
  std::string result;
  for (const std::string& one : all) result += (result.empty() ? "" : ", ") + one;
  return result;
}

void ProxyCase::has_slots(const std::string& text) const {
  const std::string slots = text_of(observed_after_reload().slots);
  cr_expect(slots == text, "%s: expected the slots '%s', got '%s'", title_.c_str(), text.c_str(),
            slots.c_str());
}

void ProxyCase::is_so(const SlotReport& said, const std::string& name,
                      const ProxySlot& slot) const {
  const std::string what = name + "/" + std::to_string(slot.number);
  expect(said.route == name && said.number == slot.number, "a report of " + what);
  expect(said.ready == slot.ready, what + " to be " + (slot.ready ? "ready" : "down"));
  expect(said.address == slot.address,
         what + " at '" + slot.address + "', not '" + said.address + "'");
  expect(said.sessions == 0, "no request in " + what);
  if (slot.address.empty()) return;
  expect(said.port == slot.port, what + " at its port");
  expect(said.weight == slot.weight, what + " with its weight");
}

void ProxyCase::look_tells(const std::string& name, const ProxySlot& slot) const {
  const Result<SlotReport> said = proxy.look(name, slot.number);
  succeeds(said, "look");
  if (said.ok()) is_so(said.value(), name, slot);
}

void ProxyCase::set_twice(const std::string& name, const ProxySlot& slot) const {
  for (int round = 0; round < 2; ++round) {
    const Result<SlotReport> said = proxy.set_slot(name, slot);
    succeeds(said, "set_slot");
    if (said.ok()) is_so(said.value(), name, slot);
    look_tells(name, slot);
  }
}

}  // namespace rowlock
