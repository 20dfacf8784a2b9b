// The jobs of a name stand in one ordered set, so that finding who is next looks at each name once.
#include "controller/base/lanes.h"

#include "controller/base/check.h"

#include <algorithm>
#include <iterator>

namespace rowlock {

void Lanes::wait(std::uint64_t job, const Place& place) {
  lanes_[place.lane].groups[place.name].waiting.emplace(place.turn, job);
  ++waiting_;
}

// How many more of a name may run.
std::size_t Lanes::room_of(const std::string& name, const Group& group) {
  return name.empty() ? kOfLane : kOfName - group.running;
}

// How many more of the lane may run.
std::size_t Lanes::Lane::room(std::int64_t now_ms) const {
  const auto first_brisk = begun_ms.upper_bound(now_ms - kSlowAfterMs);
  const auto brisk = static_cast<std::size_t>(std::distance(first_brisk, begun_ms.end()));
  return std::min(kBrisk - brisk, kOfLane - begun_ms.size());
}

// The name whose job begins next; null when none may.
const std::string* Lanes::Lane::next() const {
  const std::string* name_of_first = nullptr;
  std::pair<int, std::uint64_t> first;
  for (const auto& [name, group] : groups) {
    if (group.waiting.empty() || room_of(name, group) == 0) continue;
    if (name_of_first == nullptr || *group.waiting.begin() < first) {
      name_of_first = &name;
      first = *group.waiting.begin();
    }
  }
  return name_of_first;
}

std::optional<std::uint64_t> Lanes::begin(std::int64_t now_ms) {
  std::optional<Place> oldest;  // Over the lanes by age alone: none of them waits for another.
  std::uint64_t job = 0;
  for (const auto& [lane_name, lane] : lanes_) {
    if (lane.room(now_ms) == 0) continue;
    const std::string* name = lane.next();
    if (name == nullptr) continue;
    const auto [turn, number] = *lane.groups.at(*name).waiting.begin();
    if (!oldest || number < job) {
      oldest = Place{lane_name, *name, turn};
      job = number;
    }
  }
  if (!oldest) return {};
  Lane& lane = lanes_.at(oldest->lane);
  Group& group = lane.groups.at(oldest->name);
  group.waiting.erase(group.waiting.begin());
  --waiting_;
  ++group.running;
  lane.begun_ms.insert(now_ms);
  running_.emplace(job, Running{*oldest, now_ms});
  return job;
}

void Lanes::end(std::uint64_t job) {
  const auto running = running_.find(job);
  CHECK(running != running_.end());
  const auto lane = lanes_.find(running->second.place.lane);
  const auto group = lane->second.groups.find(running->second.place.name);
  lane->second.begun_ms.erase(lane->second.begun_ms.find(running->second.begun_ms));
  if (--group->second.running == 0 && group->second.waiting.empty()) {
    lane->second.groups.erase(group);
  }
  if (lane->second.groups.empty()) {
    lanes_.erase(lane);
  }
  running_.erase(running);
}

std::size_t Lanes::startable(std::int64_t now_ms) const {
  std::size_t sum = 0;
  for (const auto& [lane_name, lane] : lanes_) {
    std::size_t wanted = 0;
    for (const auto& [name, group] : lane.groups) {
      wanted += std::min(group.waiting.size(), room_of(name, group));
    }
    sum += std::min(wanted, lane.room(now_ms));
  }
  return sum;
}

std::optional<std::int64_t> Lanes::next_slow_ms(std::int64_t now_ms) const {
  std::optional<std::int64_t> soonest;
  for (const auto& [lane_name, lane] : lanes_) {
    if (lane.begun_ms.size() >= kOfLane || lane.room(now_ms) > 0 || lane.next() == nullptr)
      continue;
    const std::int64_t slow_ms = *lane.begun_ms.upper_bound(now_ms - kSlowAfterMs) + kSlowAfterMs;
    soonest = std::min(soonest.value_or(slow_ms), slow_ms);
  }
  return soonest;
}

}  // namespace rowlock
