// What Rowlock believes, as its rows say after a pass.
#pragma once

#include "controller/store/database.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace rowlock::simulator {

struct InstanceRow {
  std::string job;
  std::int64_t slot = 0;
  std::int64_t spec = 0;
  std::string node;
  std::string name;
  bool runs = false;  // run = 1: Rowlock keeps it.
  bool healthy = false;
  std::string container;
  std::string verdict;
  std::string reason;
  std::int64_t ordinal = 0;

  bool serves() const { return runs && healthy && container == "running"; }
};

struct JobRow {
  std::int64_t count = 0;
  std::int64_t max_parallel = 0;
  bool start_first = false;
  bool has_failed = false;  // Its deployment.
  std::int64_t drain_timeout_ms = 0;

  // How many the update policy wants healthy, whatever Rowlock does.
  std::int64_t least() const { return start_first ? count : count - max_parallel; }
};

struct CheckRow {
  std::string name;
  std::string asks;  // What the engines know it by (Engines::streak).
  std::int64_t passes = 0;
  std::int64_t failures = 0;
};

// An instance in a route, as long as that lasts.
struct TargetRow {
  std::string route;
  std::string job;
  std::string name;  // The container's.
  std::string address;
  bool is_wanted_ready = false;
  bool is_ready = false;   // The proxy said so last,
  bool was_ready = false;  // or once.
  bool is_let_go = false;
  bool is_led_to = false;   // The route leads to its job, not only did so before,
  bool is_overdue = false;  // and that has had all the time it is given to take over.
  bool is_routed = false;   // The route is there and redirects nobody, and the node is there.
  std::string reason;
};

// A step that was begun in the last pass.
struct StepRow {
  std::string kind, name, target, step;
};

struct Snapshot {
  std::map<std::int64_t, InstanceRow> instances;  // By id.
  std::map<std::string, JobRow> jobs;
  std::map<std::string, std::vector<CheckRow>> checks;  // By job.
  // By job: what is asked of a port that is routed and has no check of its own.
  std::map<std::string, std::vector<CheckRow>> route_checks;
  // What check counts of instances of a spec, by spec and name.
  std::map<std::pair<std::int64_t, std::string>, std::string> proofs;
  std::set<std::int64_t> settled;            // Specs that are rolled out.
  std::map<std::string, TargetRow> targets;  // By ROUTE/INSTANCE.
  std::map<std::string, std::string> reach;  // By node.
  std::vector<StepRow> begun;
  std::int64_t last_attempt = 0;

  // What it says of the job apart from that instance.
  std::int64_t others_that_serve(const std::string& job, const std::string& apart) const;
  // The same, well or not.
  std::int64_t others_that_run(const std::string& job, const std::string& apart) const;
  const InstanceRow* find(const std::string& container) const;
  // The checks of its job that must have passed before it counts as healthy.
  std::vector<CheckRow> checks_of(const InstanceRow& instance) const;
};

// Requires: no transaction is open. `begun` holds what was begun since `before`.
Snapshot take_snapshot(Database& state, const Snapshot& before);

}  // namespace rowlock::simulator
