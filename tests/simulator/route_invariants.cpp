// One class for each promise about a cut-over. Most judge a call before it is made, by the rows as
// they were at the last turn.
#include "tests/simulator/route_invariants.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace rowlock::simulator {

namespace {

constexpr std::int64_t kCallMs = 6100;  // So long after it was decided a call may still be made.
constexpr std::int64_t kStartedMs =
    20000;  // So long it may take until a dead proxy runs as it should.
constexpr const char* kLeaves = "it is on its way out";  // And the route is as it was.

const TargetRow* target_at(const Snapshot& rows, const std::string& route,
                           const std::string& address) {
  for (const auto& [key, target] : rows.targets) {
    if (target.route == route && target.address == address) return &target;
  }
  return nullptr;
}

// How many others of its job the proxy gives requests in that route, that are to stay.
std::int64_t ready_beside(const Snapshot& rows, const TargetRow& target) {
  std::int64_t ready = 0;
  for (const auto& [key, other] : rows.targets) {
    const InstanceRow* const instance = rows.find(other.name);
    const bool counts = other.route == target.route && other.job == target.job &&
                        other.name != target.name && other.is_ready && instance != nullptr &&
                        instance->runs;
    ready += counts ? 1 : 0;
  }
  return ready;
}

// Whether the proxy gives requests to something of what the route leads to, or to another of those
// that it led to before.
bool is_served(const Snapshot& rows, const TargetRow& target) {
  return std::any_of(rows.targets.begin(), rows.targets.end(), [&](const auto& row) {
    const TargetRow& other = row.second;
    const InstanceRow* const instance = rows.find(other.name);
    return other.route == target.route && other.name != target.name && other.is_ready &&
           (other.is_led_to || (instance != nullptr && instance->runs));
  });
}

bool ends(const Deed& deed) {
  return (deed.call.verb == "stop" || deed.call.verb == "remove") && deed.call.found != nullptr &&
         deed.call.found->state == ContainerState::running;
}

// An instance is made ready when all its checks have passed in a row so often as they ask.
class AdmitsOnlyProven final : public Invariant {
  Violated after(const Turn& turn) override {
    for (const auto& [key, target] : turn.after.targets) {
      if (!target.is_wanted_ready) continue;
      wanted_at_ms_[target.route + target.address] = turn.now_ms;
      const auto was = turn.before.targets.find(key);
      const bool is_new = was == turn.before.targets.end() || !was->second.is_wanted_ready;
      if (!is_new) continue;
      const InstanceRow* const instance = turn.after.find(target.name);
      std::vector<CheckRow> all;
      if (instance != nullptr) all = turn.after.checks_of(*instance);
      const auto of_routes = turn.after.route_checks.find(target.job);
      if (of_routes != turn.after.route_checks.end())
        all.insert(all.end(), of_routes->second.begin(), of_routes->second.end());
      for (const CheckRow& check : all) {
        if (turn.engines.streak(target.name, check.asks).passes_at(turn.now_ms) >= check.passes)
          continue;
        return fmt::format("{} is to be given requests, but check {} has not passed {} times",
                           target.name, check.name, check.passes);
      }
    }
    return std::nullopt;
  }

  Violated before_proxy(const ProxyDeed& deed) override {
    if (!deed.call.slot.ready) return std::nullopt;
    const std::string& address = deed.call.slot.address;
    const auto wanted = wanted_at_ms_.find(deed.call.route + address);
    if (wanted != wanted_at_ms_.end() && deed.now_ms - wanted->second <= kCallMs)
      return std::nullopt;
    const TargetRow* const target = target_at(deed.rows, deed.call.route, address);
    if (target != nullptr && target->is_wanted_ready) return std::nullopt;
    return fmt::format("{} is made ready in {}, which nobody wants", address, deed.call.route);
  }

  std::map<std::string, std::int64_t> wanted_at_ms_;
};

// An instance is stopped when the proxy gives it no more requests and those under way have ended,
// or had their time. What was saved does not name it any more: whoever starts the proxy now reads
// that.
class StopsOnlyWhatProxyLetGo final : public Invariant {
  Violated after(const Turn& turn) override {
    for (const auto& [key, target] : turn.after.targets) {
      const auto job = turn.after.jobs.find(target.job);
      if (job == turn.after.jobs.end()) continue;
      const std::int64_t now_ms = job->second.drain_timeout_ms;
      const auto known = drain_timeout_ms_.try_emplace(target.name, now_ms).first;
      known->second = std::min(known->second, now_ms);
    }
    return std::nullopt;
  }

  Violated before(const Deed& deed) override {
    if (!ends(deed) || deed.rows.find(deed.call.container) == nullptr) return std::nullopt;
    const std::string& address = deed.call.found->address;
    const std::string does =
        fmt::format("{} {} at {}", deed.call.verb, deed.call.container, address);
    if (deed.traffic.is_saved_as_ready(address)) return does + ", which is saved as ready";
    if (deed.traffic.is_ready(address)) return does + ", which the proxy gives requests";
    const std::optional<std::int64_t> drains_for_ms = deed.traffic.drains_for_ms(address);
    if (!drains_for_ms || *drains_for_ms >= drain_timeout_ms_[deed.call.container])
      return std::nullopt;
    return fmt::format("{}, which has requests under way and drains for {} ms", does,
                       *drains_for_ms);
  }

  // By container: its job may be deleted, and made anew with another one.
  std::map<std::string, std::int64_t> drain_timeout_ms_;
};

// Unknown is not let go: one that is given requests is not stopped before the proxy could be asked.
class AsksProxyBeforeStop final : public Invariant {
  Violated after(const Turn& turn) override {
    for (const auto& [key, target] : turn.before.targets) {
      const InstanceRow* const was = turn.before.find(target.name);
      const InstanceRow* const is = turn.after.find(target.name);
      const bool is_retired =
          was != nullptr && is != nullptr && was->runs && !is->runs && target.is_wanted_ready;
      if (is_retired && target.was_ready) retired_at_ms_[target.name] = turn.now_ms;
    }
    return std::nullopt;
  }

  Violated before(const Deed& deed) override {
    if (!ends(deed)) return std::nullopt;
    const auto retired = retired_at_ms_.find(deed.call.container);
    if (retired == retired_at_ms_.end() || deed.rows.find(deed.call.container) == nullptr)
      return std::nullopt;
    if (deed.traffic.reachable_at_ms() >= retired->second) return std::nullopt;
    return fmt::format("{} {}, though the proxy cannot be reached since before it was let go",
                       deed.call.verb, deed.call.container);
  }

  std::map<std::string, std::int64_t> retired_at_ms_;
};

// Rowlock does not take the last ready instance out of a route for the sake of an update or a lower
// count: whoever takes over is given requests by then. After a start from an older file both move
// at once.
class KeepsOneReady final : public Invariant {
  Violated after(const Turn& turn) override {
    for (const auto& [key, target] : turn.after.targets) {
      const InstanceRow* const was = turn.before.find(target.name);
      const InstanceRow* const is = turn.after.find(target.name);
      const auto job = turn.after.jobs.find(target.job);
      if (was == nullptr || is == nullptr || !was->runs || is->runs || !target.is_ready) continue;
      // What a route led to before stays for it, whatever became of its job.
      if (!target.is_led_to) {
        const bool is_free = target.is_overdue || !target.is_routed || is->verdict != "stopped" ||
                             is->container != "running";
        if (is_free || is_served(turn.after, target)) continue;
        return fmt::format("{} goes ({}), and nothing of what {} leads to is ready", target.name,
                           is->reason, target.route);
      }
      const bool is_dropped = !target.is_wanted_ready && target.reason != kLeaves;
      if (is_dropped) continue;
      if (!is->reason.starts_with("instances of the new spec") || job == turn.after.jobs.end())
        continue;
      if (!turn.policy_of(*job).start_first || !is->healthy || is->container != "running") continue;
      const std::int64_t left = ready_beside(turn.after, target);
      if (left < job->second.count) {
        return fmt::format("{} is replaced: {} others are ready in {}, the policy keeps {}",
                           target.name, left, target.route, job->second.count);
      }
    }
    return std::nullopt;
  }

  Violated before_proxy(const ProxyDeed& deed) override {
    if (deed.call.verb != "set_slot" || deed.call.slot.ready) return std::nullopt;
    if (deed.now_ms - deed.traffic.meddled_at_ms() < kStartedMs) return std::nullopt;
    const std::string& address = deed.call.slot.address;
    if (!deed.traffic.is_ready(address) || deed.traffic.ready_slots(deed.call.route) > 1)
      return std::nullopt;
    const TargetRow* const target = target_at(deed.rows, deed.call.route, address);
    const InstanceRow* const instance = target == nullptr ? nullptr : deed.rows.find(target->name);
    if (instance == nullptr || instance->runs || instance->verdict != "stopped")
      return std::nullopt;
    const auto job = deed.rows.jobs.find(instance->job);
    if (job == deed.rows.jobs.end() || job->second.count == 0) return std::nullopt;
    // The route itself may send elsewhere by now.
    if (target->reason != kLeaves) return std::nullopt;
    for (const auto& [key, other] : deed.rows.targets) {
      const Container* const found = deed.engines.find_by_address(other.address);
      const bool could_serve = other.route == target->route && other.is_wanted_ready &&
                               other.was_ready && found != nullptr &&
                               found->state == ContainerState::running;
      if (!could_serve) continue;
      return fmt::format("{} was the last that {} gives requests, and is taken out before {} ({})",
                         instance->name, deed.call.route, other.name, instance->reason);
    }
    return std::nullopt;
  }
};

}  // namespace

void add_route_invariants(std::vector<std::unique_ptr<Invariant>>& all) {
  all.push_back(std::make_unique<AdmitsOnlyProven>());
  all.push_back(std::make_unique<StopsOnlyWhatProxyLetGo>());
  all.push_back(std::make_unique<AsksProxyBeforeStop>());
  all.push_back(std::make_unique<KeepsOneReady>());
}

}  // namespace rowlock::simulator
