// One class for each promise, fed with turns and deeds; all_invariants() at the end is the list. A
// checker that needs the past keeps it itself.
#include "tests/simulator/invariants.h"

#include "tests/simulator/route_invariants.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace rowlock::simulator {

namespace {

constexpr std::int64_t kPolicyLastsMs =
    180000;  // So long what a policy once allowed may still be seen.
constexpr std::int64_t kMinuteMs = 60000;
constexpr std::size_t kPlacementsMax =
    14;  // In one slot in a minute: at once, then after 1, 2, 4, 8, 8 … seconds.
// For one job in a minute: a restart a second, of up to twelve steps.
constexpr std::size_t kStepsMax = 60 * 12;

bool is_active(const Container& container) {
  return container.state == ContainerState::running || container.state == ContainerState::paused;
}

bool is_unwell(const Turn& turn, const InstanceRow& instance) {
  const std::vector<CheckRow> asked = turn.after.checks_of(instance);
  return std::any_of(asked.begin(), asked.end(), [&turn, &instance](const CheckRow& check) {
    return turn.engines.streak(instance.name, check.asks).failures_at(turn.now_ms) >=
           check.failures;
  });
}

// Healthy instances are not stopped below what the update policy keeps. A roll-out replaces those
// first that were healthy and whose checks fail now: with them, as many must be left running.
class KeepsEnoughHealthy final : public Invariant {
  Violated after(const Turn& turn) override {
    for (const auto& [id, instance] : turn.after.instances) {
      const auto was = turn.before.instances.find(id);
      const auto job = turn.after.jobs.find(instance.job);
      const bool is_let_go = was != turn.before.instances.end() && was->second.runs &&
                             !instance.runs && instance.verdict == "stopped" &&
                             !instance.reason.starts_with("its job or its node was deleted");
      if (!is_let_go || !instance.healthy || instance.container != "running" ||
          job == turn.after.jobs.end())
        continue;
      const std::int64_t left = is_unwell(turn, instance)
                                    ? turn.after.others_that_run(instance.job, instance.name)
                                    : turn.after.others_that_serve(instance.job, instance.name);
      const std::int64_t least = turn.policy_of(*job).least();
      if (left < least) {
        return fmt::format(
            "{} was healthy and is let go ({}); {} such ones stay, the policy keeps {}",
            instance.name, instance.reason, left, least);
      }
    }
    return std::nullopt;
  }
};

// What Rowlock keeps, it does not stop; a running container without a row goes only when it is not
// needed.
class StopsOnlyWhatItLetGo final : public Invariant {
  // The engineer may ask for more between the moment a step was decided and the moment it is made.
  Violated after(const Turn& turn) override {
    for (const auto& [name, job] : turn.after.jobs) {
      auto& past = least_[name];
      past.emplace_back(turn.now_ms, job.least());
      while (past.front().first + kMinuteMs < turn.now_ms) past.pop_front();
    }
    for (const StepRow& step : turn.after.begun) {
      if (step.kind != "stray") continue;
      const std::string container = step.target.substr(step.target.find('/') + 1);
      left_then_[container] = turn.after.others_that_serve(step.name, container);
    }
    return std::nullopt;
  }

  Violated before(const Deed& deed) override {
    const bool ends_it = deed.call.verb == "stop" || deed.call.verb == "remove";
    if (!ends_it || deed.call.found == nullptr || deed.call.found->state != ContainerState::running)
      return std::nullopt;
    const InstanceRow* const row = deed.rows.find(deed.call.container);
    if (row != nullptr) {
      return row->runs ? Violated(fmt::format("{} {}, which is to run", deed.call.verb, row->name))
                       : std::nullopt;
    }
    const auto job = deed.rows.jobs.find(deed.call.found->job);
    if (job == deed.rows.jobs.end() || job->second.has_failed) return std::nullopt;
    if (deed.engines.was_touched_late(deed.call.container)) return std::nullopt;
    const std::int64_t left =
        deed.rows.others_that_serve(deed.call.found->job, deed.call.container);
    std::int64_t least = job->second.least();
    for (const auto& [at_ms, kept] : least_[job->first]) least = std::min(least, kept);
    if (std::max(left, left_then_[deed.call.container]) >= least) return std::nullopt;
    return fmt::format("{} of the stray {}, while {} others serve and the policy keeps {}",
                       deed.call.verb, deed.call.container, left, least);
  }

  std::map<std::string, std::deque<std::pair<std::int64_t, std::int64_t>>> least_;
  std::map<std::string, std::int64_t> left_then_;  // By stray: when its removal was decided.
};

// What is not Rowlock's is left alone.
class TouchesOnlyItsOwn final : public Invariant {
  Violated before(const Deed& deed) override {
    const bool looks = deed.call.verb == "inspect" || deed.call.verb == "log_tail";
    if (looks || deed.call.found == nullptr || deed.call.found->home != "others")
      return std::nullopt;
    return fmt::format("{} {}, which is not Rowlock's", deed.call.verb, deed.call.container);
  }
};

// All instances of one spec are of the same bytes, wherever its tag has gone meanwhile.
class RunsOneImage final : public Invariant {
  Violated before(const Deed& deed) override {
    const InstanceRow* const row = deed.rows.find(deed.call.container);
    if (deed.call.verb != "start" || deed.call.found == nullptr || row == nullptr) {
      return std::nullopt;
    }
    const std::string bytes = deed.engines.bytes(row->name);
    for (const auto& [id, other] : deed.rows.instances) {
      if (other.job != row->job || other.spec != row->spec) continue;
      const std::string theirs = deed.engines.bytes(other.name);
      if (theirs.empty() || theirs == bytes) continue;
      return fmt::format("{} is of {}, and {}, of the same spec, of {}", row->name, bytes,
                         other.name, theirs);
    }
    return std::nullopt;
  }
};

// What an image declares as data has one writer at a time, and an ordinal finds its own again.
class KeepsItsData final : public Invariant {
  Violated before(const Deed& deed) override {
    const InstanceRow* const row =
        deed.call.verb == "start" ? deed.rows.find(deed.call.container) : nullptr;
    if (row == nullptr || deed.engines.was_touched_late(row->name)) return std::nullopt;
    for (const Mount& mount : deed.engines.kept(row->name)) {
      if (Violated met = meets_a_writer(deed, *row, mount)) return met;
      const auto place = fmt::format("{}/{}/{}{}", row->job, row->ordinal, row->node, mount.path);
      const auto known = sources_.emplace(place, mount.source).first;
      if (known->second == mount.source) continue;
      return fmt::format("{} of ordinal {} is given {}, its data is in {}", row->name, row->ordinal,
                         mount.source, known->second);
    }
    return std::nullopt;
  }

  static Violated meets_a_writer(const Deed& deed, const InstanceRow& row, const Mount& mount) {
    for (const auto& [node, other] : deed.engines.containers()) {
      const bool has_row = deed.rows.find(other.name) != nullptr;  // Of a stray nobody knows yet.
      if (node != row.node || other.name == row.name || !is_active(other) || !has_row) continue;
      for (const Mount& theirs : deed.engines.kept(other.name)) {
        if (theirs.source != mount.source || deed.engines.was_touched_late(other.name)) continue;
        return fmt::format("starts {} beside {}, which writes to {}", row.name, other.name,
                           mount.source);
      }
    }
    return std::nullopt;
  }

  std::map<std::string, std::string> sources_;  // By job, ordinal, node and path.
};

// The most that a job's policy has allowed of late.
class Policies {
 public:
  struct Most {
    std::int64_t count = 0;
    std::int64_t surge = 0;     // With those of the next spec beside them.
    bool is_stop_first = true;  // All the time.
  };

  void note(const Snapshot& rows, std::int64_t now_ms) {
    for (const auto& [name, job] : rows.jobs) {
      auto& past = past_[name];
      if (past.empty() || past.back().job.count != job.count ||
          past.back().job.max_parallel != job.max_parallel ||
          past.back().job.start_first != job.start_first) {
        past.push_back({job, now_ms});
      }
      // The oldest one stands until the next one has lasted.
      while (past.size() > 1 && past[1].since_ms + kPolicyLastsMs < now_ms) past.pop_front();
    }
  }

  Most most(const std::string& job) const {
    Most most;
    const auto found = past_.find(job);
    if (found == past_.end()) return most;
    for (const Past& past : found->second) {
      most.count = std::max(most.count, past.job.count);
      most.surge = std::max(most.surge, past.job.max_parallel);
      most.is_stop_first = most.is_stop_first && !past.job.start_first;
    }
    most.surge += most.count;
    return most;
  }

 private:
  struct Past {
    JobRow job;
    std::int64_t since_ms;
  };
  std::map<std::string, std::deque<Past>> past_;
};

// Never two live ones in a slot, and never more of a job than the update policy allows.
class StartsNoMoreThanAllowed final : public Invariant {
  Violated after(const Turn& turn) override {
    policies_.note(turn.after, turn.now_ms);
    return std::nullopt;
  }

  Violated before(const Deed& deed) override {
    const InstanceRow* const row =
        deed.call.verb == "start" ? deed.rows.find(deed.call.container) : nullptr;
    if (row == nullptr || deed.engines.was_touched_late(row->name)) return std::nullopt;
    std::int64_t active = 1;
    std::int64_t kept = 1;
    for (const auto& [node, other] : deed.engines.containers()) {
      if (other.job != row->job || other.name == row->name || other.home == "others" ||
          !is_active(other))
        continue;
      if (deed.engines.was_touched_late(other.name)) continue;
      const InstanceRow* const its = deed.rows.find(other.name);
      if (its == nullptr) continue;  // A stray: nobody knows of it yet.
      ++active;
      kept += its->runs ? 1 : 0;
      if (its->runs && row->runs && its->slot == row->slot) {
        return fmt::format("starts {} beside {} in slot {}", row->name, other.name, row->slot);
      }
    }
    const Policies::Most most = policies_.most(row->job);
    if (kept > most.surge) {
      return fmt::format("starts {}: {} kept ones, the policy allows {}", row->name, kept,
                         most.surge);
    }
    if (most.is_stop_first && active > most.count) {
      return fmt::format("starts {} before another has stopped: {} run, the count is {}", row->name,
                         active, most.count);
    }
    return std::nullopt;
  }

  Policies policies_;
};

// An instance counts as healthy once every check has passed so often in a row, and as unwell once
// one has failed so often.
class BelievesItsChecks final : public Invariant {
  Violated after(const Turn& turn) override {
    for (const auto& [id, instance] : turn.after.instances) {
      const auto was = turn.before.instances.find(id);
      if (was == turn.before.instances.end()) continue;
      if (instance.healthy && !was->second.healthy) {
        for (const CheckRow& check : turn.after.checks_of(instance)) {
          if (turn.engines.streak(instance.name, check.asks).passes_at(turn.now_ms) <
              check.passes) {
            return fmt::format("{} counts as healthy, but check {} has not passed {} times",
                               instance.name, check.name, check.passes);
          }
        }
      }
      const bool is_failed =
          was->second.runs && !instance.runs && instance.reason.starts_with("its checks fail");
      if (!is_failed) continue;
      const Container* const found = turn.engines.find(instance.name, instance.node);
      const bool has_ended = found == nullptr || found->state != ContainerState::running;
      if (!is_unwell(turn, instance) && !has_ended) {
        return fmt::format("{} has failed ({}), but no check has failed so often", instance.name,
                           instance.reason);
      }
    }
    return std::nullopt;
  }
};

// Unknown is not absent: nothing is done on a node that cannot be reached, and nothing there counts
// as gone.
class TouchesNoUnreachableNode final : public Invariant {
  Violated after(const Turn& turn) override {
    for (const StepRow& step : turn.after.begun) {
      if (step.kind != "instance") continue;
      const auto instance =
          turn.after.instances.find(std::strtoll(step.target.c_str(), nullptr, 10));
      if (instance == turn.after.instances.end()) continue;
      const auto reach = turn.after.reach.find(instance->second.node);
      if (reach == turn.after.reach.end() || reach->second != "reached") {
        return fmt::format("step {} for {} on node {}, which cannot be reached", step.step,
                           instance->second.name, instance->second.node);
      }
    }
    for (const auto& [id, instance] : turn.after.instances) {
      const auto was = turn.before.instances.find(id);
      const bool is_new = was != turn.before.instances.end() && was->second.container != "gone";
      if (is_new && instance.container == "gone" &&
          turn.engines.find(instance.name, instance.node) != nullptr &&
          !turn.engines.was_touched_late(instance.name)) {
        return fmt::format("{} counts as gone, but is there", instance.name);
      }
    }
    return std::nullopt;
  }
};

// Restarts wait for their delay, and no step is repeated in a hot loop.
class TakesItsTime final : public Invariant {
  Violated after(const Turn& turn) override {
    for (const StepRow& step : turn.after.begun) {
      if (step.step == "observe" || step.step == "look") continue;
      if (is_over(steps_[step.name], turn.now_ms, kStepsMax)) {
        return fmt::format("job {}: more than {} steps in a minute", step.name, kStepsMax);
      }
    }
    for (const auto& [id, instance] : turn.after.instances) {
      if (turn.before.instances.contains(id)) continue;
      const std::string place = fmt::format("{}/{}/{}", instance.job, instance.slot, instance.spec);
      if (is_over(placements_[place], turn.now_ms, kPlacementsMax)) {
        return fmt::format("{}: slot {} was filled more than {} times in a minute", instance.job,
                           instance.slot, kPlacementsMax);
      }
    }
    return std::nullopt;
  }

  static bool is_over(std::deque<std::int64_t>& moments, std::int64_t now_ms, std::size_t most) {
    moments.push_back(now_ms);
    while (moments.front() + kMinuteMs < now_ms) moments.pop_front();
    return moments.size() > most;
  }

  std::map<std::string, std::deque<std::int64_t>> steps_;
  std::map<std::string, std::deque<std::int64_t>> placements_;
};

}  // namespace

std::vector<std::unique_ptr<Invariant>> all_invariants() {
  std::vector<std::unique_ptr<Invariant>> all;
  all.push_back(std::make_unique<KeepsEnoughHealthy>());
  all.push_back(std::make_unique<StopsOnlyWhatItLetGo>());
  all.push_back(std::make_unique<TouchesOnlyItsOwn>());
  all.push_back(std::make_unique<RunsOneImage>());
  all.push_back(std::make_unique<KeepsItsData>());
  all.push_back(std::make_unique<StartsNoMoreThanAllowed>());
  all.push_back(std::make_unique<BelievesItsChecks>());
  all.push_back(std::make_unique<TouchesNoUnreachableNode>());
  all.push_back(std::make_unique<TakesItsTime>());
  add_route_invariants(all);
  return all;
}

}  // namespace rowlock::simulator
