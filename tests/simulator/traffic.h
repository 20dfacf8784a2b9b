// The proxy as the world treats it: it fails, dies, cannot be reached, refuses what is saved, is
// restarted by somebody else, and carries requests that end when they like. Keeps the truth about
// whom it gives requests, which the checkers compare Rowlock's calls with.
#pragma once

#include "tests/fakes/fake_proxy.h"
#include "tests/simulator/timeline.h"
#include "tests/simulator/weather.h"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace rowlock::simulator {

constexpr int kRoutedPort = 80;  // Of every job that there is.

// A call that changes something in the proxy, and is about to be done.
struct ProxyCall {
  std::string verb;
  std::string route;
  ProxySlot slot;  // As it is wanted; number 0 if the call is about none.
};

class Traffic {
 public:
  Traffic(Timeline& timeline, Random& random, FakeProxy& proxy, const Weather& weather);

  // -- What happens by itself.
  void calm();     // From now on nothing fails, and requests are short.
  void request();  // One begins in some slot that is ready, and ends some time later.
  void kill();
  void restart_by_hand();  // By somebody who knows nothing but what was saved.
  void reload_by_hand();
  void take_away(std::int64_t for_ms);
  void refuse_saves(std::int64_t for_ms);
  void linger(std::int64_t for_ms);  // Workers from before a reload stay for so long.

  void on_call(std::function<void(const ProxyCall&)> listener) { on_call_ = std::move(listener); }
  void on_end(std::function<void()> listener) { proxy_.on_end(std::move(listener)); }

  // -- The truth.
  const FakeProxy& proxy() const { return proxy_; }
  bool is_ready(const std::string& address) const;  // In what runs, old workers apart.
  bool is_saved_as_ready(const std::string& address) const;
  int ready_slots(const std::string& route) const;
  // How long it has not been ready in a route any more from which requests are under way there, or
  // may still come from a worker that lingers: in the one that gave it up last. None: in no route.
  std::optional<std::int64_t> drains_for_ms(const std::string& address) const;
  std::int64_t meddled_at_ms() const {
    return meddled_at_ms_;
  }                                      // When it last died or was touched.
  std::int64_t reachable_at_ms() const;  // When it last ran and could be reached.

 private:
  using Place = std::pair<std::string, int>;             // A route and a slot.
  using Standing = std::pair<std::string, std::string>;  // A route and an address.

  FaultPlan fault();
  bool is_reachable() const;
  void note();  // What has changed since the last time.
  void note_soon();
  void end_request(const Place& place, std::int64_t lives);
  void died();

  Timeline& timeline_;
  Random& random_;
  FakeProxy& proxy_;
  Weather weather_;
  std::int64_t away_until_ms_ = 0;
  std::int64_t refuses_until_ms_ = 0;
  std::int64_t reachable_at_ms_ = 0;
  std::int64_t meddled_at_ms_ = 0;
  std::int64_t lives_ = 0;  // How often it has died.
  bool is_by_hand_ = false;
  std::map<Place, std::deque<std::string>> requests_;  // Under way, by their addresses.
  std::set<Standing> ready_;                           // When it was last noted.
  std::map<Standing, std::int64_t> down_since_ms_;
  std::function<void(const ProxyCall&)> on_call_;
};

}  // namespace rowlock::simulator
