#include "tests/simulator/snapshot.h"

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
          row.text("reason")};
}

}  // namespace

std::int64_t Snapshot::others_that_serve(const std::string& job, const std::string& apart) const {
  std::int64_t serving = 0;
  for (const auto& [id, instance] : instances) {
    serving += instance.job == job && instance.name != apart && instance.serves() ? 1 : 0;
  }
  return serving;
}

const InstanceRow* Snapshot::find(const std::string& container) const {
  for (const auto& [id, instance] : instances) {
    if (instance.name == container) return &instance;
  }
  return nullptr;
}

Snapshot take_snapshot(Database& state, const Snapshot& before) {
  Snapshot taken;
  for (const Row& row : rows_of(
           state,
           "SELECT id, job, slot, spec, node, name, run, container, verdict, reason, healthy_at_ms "
           "FROM instance")) {
    taken.instances.emplace(row.integer("id"), instance_of(row));
  }
  for (const Row& row :
       rows_of(state,
               "SELECT name, count, max_parallel, update_order, EXISTS (SELECT 1 FROM deployment "
               "WHERE job = name AND current = 1 AND state = 'failed') AS has_failed FROM job")) {
    taken.jobs.emplace(row.text("name"), JobRow{row.integer("count"), row.integer("max_parallel"),
                                                row.text("update_order") == "start_first",
                                                row.integer("has_failed") == 1});
  }
  for (const Row& row : rows_of(state, "SELECT job, name, passes, failures FROM job_check")) {
    taken.checks[row.text("job")].push_back(
        {row.text("name"), row.integer("passes"), row.integer("failures")});
  }
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
