// The fake proxy answers; here it is drawn what goes wrong around it, and whom it really gives
// requests is written down at each change.
#include "tests/simulator/traffic.h"

#include <algorithm>

namespace rowlock::simulator {

Traffic::Traffic(Timeline& timeline, Random& random, FakeProxy& proxy, const Weather& weather)
    : timeline_(timeline), random_(random), proxy_(proxy), weather_(weather) {
  proxy_.set_faults([this](const std::string&, const std::string&) { return fault(); });
  proxy_.refuse_saves([this](const ProxyConfig&) -> std::string {
    return timeline_.now_ms() < refuses_until_ms_ ? "not today" : "";
  });
  proxy_.on_call([this](const std::string& verb, const std::string& route, const ProxySlot& slot) {
    note();
    if (on_call_ && !is_by_hand_) on_call_({verb, route, slot});
    if (verb == "stop") died();
    note_soon();
  });
}

// ---- What happens by itself ---------------------------------------------------------------------

FaultPlan Traffic::fault() {
  if (is_by_hand_) return FaultPlan::none;
  if (timeline_.now_ms() < away_until_ms_) return FaultPlan::unreachable;
  if (random_.chance(weather_.fails)) return FaultPlan::fail_before;
  if (random_.chance(weather_.loses)) return FaultPlan::lose_answer;
  return FaultPlan::none;
}

void Traffic::calm() {
  note();
  weather_ = Weather{};
  away_until_ms_ = 0;
  refuses_until_ms_ = 0;
  proxy_.linger_after_reload(false);
  note();
}

void Traffic::request() {
  note();
  std::vector<Place> places;
  for (const SlotReport& slot : proxy_.slots()) {
    if (slot.ready) places.emplace_back(slot.route, slot.number);
  }
  if (places.empty()) return;
  const Place place = random_.pick(places);
  if (!proxy_.begin_session(place.first, place.second)) return;
  for (const SlotReport& slot : proxy_.slots()) {
    if (Place(slot.route, slot.number) == place) requests_[place].push_back(slot.address);
  }
  timeline_.after(random_.between(1, weather_.request_max_ms),
                  [this, place, lives = lives_] { end_request(place, lives); });
}

// The one that began first; the fake, too, ends those of the oldest worker first.
void Traffic::end_request(const Place& place, std::int64_t lives) {
  if (lives != lives_ || !proxy_.end_session(place.first, place.second)) return;
  auto& under_way = requests_[place];
  if (!under_way.empty()) under_way.pop_front();
}

void Traffic::died() {
  note();
  ++lives_;
  requests_.clear();
}

void Traffic::kill() {
  meddled_at_ms_ = timeline_.now_ms();
  died();
  proxy_.kill();
  note();
}

void Traffic::restart_by_hand() {
  if (!proxy_.running()) return;
  kill();
  proxy_.start_by_hand();
  note();
}

void Traffic::reload_by_hand() {
  meddled_at_ms_ = timeline_.now_ms();
  is_by_hand_ = true;
  (void)proxy_.reload();  // It need not run.
  is_by_hand_ = false;
  note();
}

void Traffic::take_away(std::int64_t for_ms) {
  note();
  away_until_ms_ = timeline_.now_ms() + for_ms;
  timeline_.at(away_until_ms_, [this] { note(); });
}

void Traffic::refuse_saves(std::int64_t for_ms) { refuses_until_ms_ = timeline_.now_ms() + for_ms; }

void Traffic::linger(std::int64_t for_ms) {
  proxy_.linger_after_reload(true);
  timeline_.after(for_ms, [this] { proxy_.linger_after_reload(false); });
}

// ---- The truth ----------------------------------------------------------------------------------

bool Traffic::is_reachable() const {
  return proxy_.running() && timeline_.now_ms() >= away_until_ms_;
}

void Traffic::note() {
  if (is_reachable()) reachable_at_ms_ = timeline_.now_ms();
  std::set<Standing> now;
  for (const SlotReport& slot : proxy_.slots()) {
    if (slot.ready) now.emplace(slot.route, slot.address);
  }
  for (const Standing& standing : ready_) {
    if (!now.contains(standing)) down_since_ms_[standing] = timeline_.now_ms();
  }
  for (const Standing& standing : now) down_since_ms_.erase(standing);
  ready_ = std::move(now);
}

// The call that is told of has not been made yet.
void Traffic::note_soon() {
  timeline_.after(0, [this] { note(); });
}

bool Traffic::is_ready(const std::string& address) const {
  const auto slots = proxy_.slots();
  return std::any_of(slots.begin(), slots.end(),
                     [&](const SlotReport& slot) { return slot.ready && slot.address == address; });
}

bool Traffic::is_saved_as_ready(const std::string& address) const {
  for (const ProxyRoute& route : proxy_.saved().routes) {
    for (const ProxySlot& slot : route.slots) {
      if (slot.ready && slot.address == address) return true;
    }
  }
  return false;
}

int Traffic::ready_slots(const std::string& route) const {
  const auto slots = proxy_.slots();
  return static_cast<int>(std::count_if(slots.begin(), slots.end(), [&](const SlotReport& slot) {
    return slot.ready && slot.route == route;
  }));
}

std::optional<std::int64_t> Traffic::drains_for_ms(const std::string& address) const {
  std::optional<std::int64_t> least;
  const auto take = [&](std::int64_t since_ms) {
    const std::int64_t for_ms = timeline_.now_ms() - since_ms;
    least = least ? std::min(*least, for_ms) : for_ms;
  };
  for (const auto& [place, under_way] : requests_) {
    if (std::find(under_way.begin(), under_way.end(), address) == under_way.end()) continue;
    const auto down = down_since_ms_.find({place.first, address});
    take(down == down_since_ms_.end() ? timeline_.now_ms() : down->second);
  }
  if (!proxy_.is_given_requests(address, kRoutedPort) || least) return least;
  // Nobody tells through which route an old worker still gives it some: the first is meant.
  std::int64_t first_ms = timeline_.now_ms();
  for (const auto& [standing, since_ms] : down_since_ms_) {
    if (standing.second == address) first_ms = std::min(first_ms, since_ms);
  }
  take(first_ms);
  return least;
}

std::int64_t Traffic::reachable_at_ms() const {
  return is_reachable() ? timeline_.now_ms() : reachable_at_ms_;
}

}  // namespace rowlock::simulator
