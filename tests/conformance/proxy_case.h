// One case of the proxy's suite at work: what it saves, what it looks at, and how it complains.
#pragma once

#include "tests/conformance/proxy_suite.h"
#include "tests/conformance/suite_case.h"

#include <criterion/criterion.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace rowlock {

constexpr auto kProxyPatience = std::chrono::seconds(10);

// Its title goes into every failure. The proxy is stopped before and after it.
class ProxyCase : public SuiteCase {
 public:
  ProxyCase(std::string title, Proxy& under_test, const ProxyFixture& given)
      : SuiteCase(std::move(title)), proxy(under_test), fixture(given) {
    succeeds(proxy.stop(), "stop before the case");
  }
  ~ProxyCase() { succeeds(proxy.stop(), "stop after the case"); }

  // A route with free slots.
  static ProxyRoute route(const std::string& name, int slots = 3);
  ProxyConfig config(std::int64_t generation, const std::vector<ProxyRoute>& routes) const;
  void save_and_start(const ProxyConfig& config) const;

  template <typename T>
  void fails(const Result<T>& result, Fault fault, Cause cause, const std::string& what) const {
    cr_expect(!result.ok(), "%s: expected an error of: %s", title_.c_str(), what.c_str());
    if (result.ok()) return;
    const Error& error = result.error();
    cr_expect(error.fault == fault && error.cause == cause && !error.message.empty(),
              "%s: %s: got fault %d cause %d: %s", title_.c_str(), what.c_str(),
              static_cast<int>(error.fault), static_cast<int>(error.cause), error.message.c_str());
  }

  ProxyReport observed() const;  // An empty one when that fails.
  // Once no worker from before a reload is left.
  ProxyReport observed_after_reload() const;
  void is_gone() const;  // Within a while: it was killed.

  // "web/1 127.0.8.1:80 x1 ready, web/2 …": all slots but the free ones that are down.
  static std::string text_of(const std::vector<SlotReport>& slots);
  void has_slots(const std::string& text) const;
  void look_tells(const std::string& route, const ProxySlot& slot) const;
  // Sets it, looks, sets it again and looks again.
  void set_twice(const std::string& route, const ProxySlot& slot) const;

  Proxy& proxy;
  const ProxyFixture& fixture;

 private:
  void is_so(const SlotReport& said, const std::string& route, const ProxySlot& slot) const;
};

// A slot with an instance in it.
inline ProxySlot taken(int number, bool ready, int weight = 1) {
  return ProxySlot{number, ready, conformance_address(number), conformance_port(number), weight};
}

inline ProxySlot free_slot(int number) {
  ProxySlot slot;
  slot.number = number;
  return slot;
}

}  // namespace rowlock
