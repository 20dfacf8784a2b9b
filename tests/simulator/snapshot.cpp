// Taken after every pass of every seed, so each query here is one that costs little.
#include "tests/simulator/snapshot.h"

#include <algorithm>

namespace rowlock::simulator {

namespace {

std::vector<Row> rows_of(Database& state, std::string_view query, const Values& values = {}) {
  auto rows = state.query(query, values);
  CHECK(rows.ok());
  return std::move(rows).value();
}

InstanceRow instance_of(const Row& row) {
  return {row.text("job"),
          row.integer("slot"),
          row.integer("spec"),
          row.text("node"),
          row.text("name"),
          row.integer("run") == 1,
          !row.is_null("healthy_at_ms"),
          row.text("container"),
          row.text("verdict"),
          row.text("reason"),
          row.integer("ordinal")};
}

// An HTTP check is known by its path, others by their type.
std::string known_by(const Row& row) {
  return row.text("type") == "http" ? row.text("path").substr(1) : row.text("type");
}

void take_checks(Database& state, Snapshot& taken) {
  for (const Row& row :
       rows_of(state, "SELECT job, name, type, path, passes, failures FROM job_check")) {
    taken.checks[row.text("job")].push_back(
        {row.text("name"), known_by(row), row.integer("passes"), row.integer("failures")});
  }
  for (const Row& row : rows_of(state,
                                "SELECT spec, name, asks ->> 0 AS type, asks ->> 2 AS path "
                                "FROM check_proof")) {
    taken.proofs.emplace(std::pair(row.integer("spec"), row.text("name")), known_by(row));
  }
  for (const Row& row :
       rows_of(state, "SELECT spec FROM deployment WHERE current = 1 AND state = 'succeeded'")) {
    taken.settled.insert(row.integer("spec"));
  }
}

void take_routes(Database& state, Snapshot& taken) {
  for (const Row& row : rows_of(state, "SELECT job, name, passes, failures FROM route_check")) {
    taken.route_checks[row.text("job")].push_back(
        {row.text("name"), row.text("name"), row.integer("passes"), row.integer("failures")});
  }
  for (const Row& row :
       rows_of(state,
               "SELECT target, route, job, name, address, wanted = 'ready' AS ready, acknowledged "
               "= 'ready' AS is_ready, "
               "ready_at_ms IS NOT NULL AS was_ready, let_go_at_ms IS NOT NULL AS is_let_go, "
               "EXISTS (SELECT 1 FROM route AS r WHERE r.name = t.route AND t.job IN (r.job, "
               "r.next_job)) AS is_led_to, COALESCE(lent_at_ms + (SELECT max(progress_deadline_ms) "
               "FROM route AS r JOIN job AS j ON j.name IN (r.job, r.next_job) WHERE r.name = "
               "t.route) <= (SELECT now_ms FROM clock), 0) AS is_overdue, "
               "EXISTS (SELECT 1 FROM route AS r WHERE r.name = t.route AND r.redirect_host IS "
               "NULL) AND EXISTS (SELECT 1 FROM instance AS i JOIN node AS n ON n.name = i.node "
               "WHERE i.id = t.instance) AS is_routed, "
               "reason FROM route_target AS t WHERE ended_at_ms IS NULL")) {
    taken.targets.emplace(
        row.text("target"),
        TargetRow{row.text("route"), row.text("job"), row.text("name"), row.text("address"),
                  row.integer("ready") == 1, row.integer("is_ready") == 1,
                  row.integer("was_ready") == 1, row.integer("is_let_go") == 1,
                  row.integer("is_led_to") == 1, row.integer("is_overdue") == 1,
                  row.integer("is_routed") == 1, row.text("reason")});
  }
}

}  // namespace

std::int64_t Snapshot::others_that_serve(const std::string& job, const std::string& apart) const {
  std::int64_t serving = 0;
  for (const auto& [id, instance] : instances) {
    serving += instance.job == job && instance.name != apart && instance.serves() ? 1 : 0;
  }
  return serving;
}

std::int64_t Snapshot::others_that_run(const std::string& job, const std::string& apart) const {
  return std::count_if(instances.begin(), instances.end(), [&job, &apart](const auto& entry) {
    const InstanceRow& instance = entry.second;
    return instance.job == job && instance.name != apart && instance.runs &&
           instance.container == "running";
  });
}

const InstanceRow* Snapshot::find(const std::string& container) const {
  for (const auto& [id, instance] : instances) {
    if (instance.name == container) return &instance;
  }
  return nullptr;
}

std::vector<CheckRow> Snapshot::checks_of(const InstanceRow& instance) const {
  std::vector<CheckRow> all;
  const auto asked = checks.find(instance.job);
  if (asked == checks.end()) return all;
  for (const CheckRow& check : asked->second) {
    const auto proof = proofs.find({instance.spec, check.name});
    if (proof == proofs.end() && settled.contains(instance.spec)) continue;
    all.push_back(check);
    if (proof != proofs.end()) all.back().asks = proof->second;
  }
  return all;
}

Snapshot take_snapshot(Database& state, const Snapshot& before) {
  Snapshot taken;
  for (const Row& row :
       rows_of(state,
               "SELECT id, job, slot, ordinal, spec, node, name, run, container, verdict, reason, "
               "healthy_at_ms FROM instance")) {
    taken.instances.emplace(row.integer("id"), instance_of(row));
  }
  for (const Row& row :
       rows_of(state,
               "SELECT name, count, max_parallel, (SELECT o.update_order FROM job_order AS o WHERE "
               "o.job = name) AS update_order, drain_timeout_ms, EXISTS (SELECT 1 "
               "FROM deployment "
               "WHERE job = name AND current = 1 AND state = 'failed') AS has_failed FROM job")) {
    taken.jobs.emplace(row.text("name"),
                       JobRow{row.integer("count"), row.integer("max_parallel"),
                              row.text("update_order") == "start_first",
                              row.integer("has_failed") == 1, row.integer("drain_timeout_ms")});
  }
  take_checks(state, taken);
  take_routes(state, taken);
  for (const Row& row : rows_of(state, "SELECT node, reach FROM node_state")) {
    taken.reach.emplace(row.text("node"), row.text("reach"));
  }
  taken.last_attempt = before.last_attempt;
  for (const Row& row : rows_of(
           state, "SELECT id, kind, name, target, step FROM attempt WHERE id > :after ORDER BY id",
           {{"after", before.last_attempt}})) {
    taken.begun.push_back(
        {row.text("kind"), row.text("name"), row.text("target"), row.text("step")});
    taken.last_attempt = row.integer("id");
  }
  return taken;
}

}  // namespace rowlock::simulator
