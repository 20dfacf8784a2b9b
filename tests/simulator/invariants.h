// What must hold at every moment of a simulation, each a small checker. They compare what Rowlock
// believes (its rows) and does (its calls) with what is so (the engines and the proxy).
#pragma once

#include "tests/simulator/engines.h"
#include "tests/simulator/snapshot.h"
#include "tests/simulator/traffic.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rowlock::simulator {

using Violated = std::optional<std::string>;  // What is wrong, in a sentence.

// A pass has just ended.
struct Turn {
  const Snapshot& before;
  const Snapshot& after;
  Engines& engines;
  const Traffic& traffic;
  std::int64_t now_ms;

  // By which it was made. With the last instance that keeps volumes, the reason to stop first goes.
  JobRow policy_of(const std::pair<const std::string, JobRow>& job) const {
    const auto was = before.jobs.find(job.first);
    JobRow policy = job.second;
    policy.start_first =
        policy.start_first && (was == before.jobs.end() || was->second.start_first);
    return policy;
  }
};

// A call reaches an engine, and is about to be done.
struct Deed {
  const Call& call;
  const Snapshot& rows;
  const Engines& engines;
  const Traffic& traffic;
  std::int64_t now_ms;
};

// A call reaches the proxy, and is about to be done.
struct ProxyDeed {
  const ProxyCall& call;
  const Snapshot& rows;
  const Engines& engines;
  const Traffic& traffic;
  std::int64_t now_ms;
};

class Invariant {
 public:
  virtual ~Invariant() = default;
  virtual Violated after(const Turn&) { return std::nullopt; }
  virtual Violated before(const Deed&) { return std::nullopt; }
  virtual Violated before_proxy(const ProxyDeed&) { return std::nullopt; }
};

std::vector<std::unique_ptr<Invariant>> all_invariants();

}  // namespace rowlock::simulator
