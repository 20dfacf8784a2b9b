// Each function returns a sentence about what is not settled yet, or nothing; the first sentence is
// what a failed seed prints.
#include "tests/simulator/ending.h"

#include "tests/simulator/route_ending.h"

#include <fmt/format.h>

#include <set>

namespace rowlock::simulator {

namespace {

struct JobEnd {
  std::string name, state, detail, image, cause, deployment, running_image;
  std::int64_t count, spec, fresh, stale;
  bool has_checks;  // A route asks at least whether its port takes a connection.

  // Without a check, nobody can tell that a sick program is sick.
  bool finds_good(const std::string& of) const {
    return is_good(of) || (of.starts_with("sick:") && !has_checks);
  }
};

std::vector<Row> rows_of(Database& state, std::string_view query) {
  auto rows = state.query(query);
  CHECK(rows.ok());
  return std::move(rows).value();
}

// Rows and containers are the same ones.
std::string unmatched(Stage& stage, const Engines& engines) {
  std::map<std::string, std::string> believed;
  for (const Row& row : rows_of(stage.state(), "SELECT name, container FROM instance")) {
    believed.emplace(row.text("name"), row.text("container"));
  }
  std::set<std::string> nodes;
  for (const Row& row : rows_of(stage.state(), "SELECT name FROM node"))
    nodes.insert(row.text("name"));
  std::map<std::string, std::string> actual;
  for (const auto& [node, container] : engines.containers()) {
    if (container.home != kHomeId) continue;
    actual.emplace(container.name, std::string(name_of(container.state)));
    // On a node that was deleted nobody looks any more: a call that was made late may leave one
    // there.
    if (!believed.contains(container.name) && nodes.contains(node)) {
      return fmt::format("{} has no row", container.name);
    }
  }
  for (const auto& [name, state] : believed) {
    const auto found = actual.find(name);
    const std::string is = found == actual.end() ? "gone" : found->second;
    const bool has_none = state == "none" || state == "unpulled" || state == "gone";
    if (is != state && !(is == "gone" && has_none)) {
      return fmt::format("{} is {}, its row says {}", name, is, state);
    }
  }
  return "";
}

// What is there beside Rowlock's is as it was.
std::string meddled(const Engines& engines) {
  int others = 0;
  for (const auto& [node, container] : engines.containers()) {
    others += container.home == "others" && container.state == ContainerState::running ? 1 : 0;
  }
  return others == 2 ? "" : "a container of somebody else was touched";
}

std::vector<JobEnd> job_ends(Stage& stage) {
  std::vector<JobEnd> ends;
  for (const Row& row : rows_of(
           stage.state(),
           "SELECT j.name, j.image, j.count, COALESCE(s.state, '') AS state, s.detail, d.cause, "
           "d.state AS deployment, "
           "d.spec, json_extract((SELECT body FROM spec WHERE id = d.spec), '$.image') AS "
           "running_image, "
           "(SELECT count(*) FROM instance AS i WHERE i.job = j.name AND i.run = 1 AND i.spec = "
           "d.spec "
           " AND i.container = 'running' AND i.healthy_at_ms IS NOT NULL) AS fresh, "
           "(SELECT count(*) FROM instance AS i WHERE i.job = j.name AND i.container IN "
           "('running', 'paused')) "
           "AS active, EXISTS (SELECT 1 FROM job_check AS c WHERE c.job = j.name) "
           "OR EXISTS (SELECT 1 FROM route_check AS c WHERE c.job = j.name) AS has_checks "
           "FROM job AS j LEFT JOIN status AS s ON s.kind = 'job' AND s.name = j.name "
           "LEFT JOIN deployment AS d ON d.job = j.name AND d.current = 1")) {
    ends.push_back({row.text("name"), row.text("state"), row.text("detail"), row.text("image"),
                    row.text("cause"), row.text("deployment"), row.text("running_image"),
                    row.integer("count"), row.integer("spec"), row.integer("fresh"),
                    row.integer("active") - row.integer("fresh"), row.integer("has_checks") == 1});
  }
  return ends;
}

std::string unsettled_job(const JobEnd& job, Standard standard) {
  const std::string is = fmt::format("job {} ({} × {}) is {}: {}", job.name, job.count, job.image,
                                     job.state, job.detail);
  const bool is_whole = job.fresh == job.count && job.stale == 0 && job.deployment == "succeeded";
  if (job.finds_good(job.image)) {
    if (job.state == "converged" && job.running_image == job.image && is_whole) return "";
    const bool was_taken_back =
        standard == Standard::lenient && job.cause == "revert" && job.state == "failed";
    if (was_taken_back && (is_whole || !job.finds_good(job.running_image))) return "";
    return is;
  }
  if (job.count == 0) return job.state == "converged" || job.state == "failed" ? "" : is;
  if (job.state != "failed") {
    // A bad spec that once succeeded with a count of 0 has no deployment left to fail.
    return standard == Standard::lenient && job.deployment == "succeeded" ? "" : is;
  }
  if (job.cause == "revert" && job.finds_good(job.running_image) && !is_whole)
    return is + ", not all of the last good spec";
  return "";
}

// Nothing of a job that was deleted.
std::string left_over(Stage& stage) {
  auto rows =
      rows_of(stage.state(),
              "SELECT job, what FROM ("
              "SELECT job, 'instance ' || name || ' ' || container || ' on ' || node AS what "
              "FROM instance "
              "UNION ALL SELECT job, 'deployment ' || state || ' ' || current FROM deployment "
              "UNION ALL SELECT job, 'stray ' || node || '/' || name FROM stray) "
              "WHERE job NOT IN (SELECT name FROM job)");
  return rows.empty() ? ""
                      : "there are rows of the deleted job " + rows.front().text("job") + ": " +
                            rows.front().text("what");
}

std::string unaccepted(Stage& stage) {
  for (const char* rows : {"SELECT group_concat(name || image || count || update_order || "
                           "max_parallel) FROM (SELECT * "
                           "FROM job ORDER BY name)",
                           "SELECT group_concat(name || job || COALESCE(next_job, '') || "
                           "next_percent || maintenance || "
                           "pause) FROM (SELECT * FROM route ORDER BY name)"}) {
    auto in_force = stage.state().scalar(rows);
    auto asked = stage.desired().scalar(rows);
    CHECK(in_force.ok() && asked.ok());
    if (in_force.value() != asked.value()) return "desired.db is not accepted";
  }
  return "";
}

}  // namespace

std::string unsettled(Stage& stage, Engines& engines, Standard standard,
                      const std::map<std::string, std::string>& proven) {
  for (std::string (*find)(Stage&) : {unaccepted, left_over}) {
    if (std::string found = find(stage); !found.empty()) return found;
  }
  for (const JobEnd& job : job_ends(stage)) {
    if (std::string found = unsettled_job(job, standard); !found.empty()) return found;
    const auto known = proven.find(job.name);
    if (known != proven.end() && !job.finds_good(job.image) && job.running_image != known->second) {
      return fmt::format("job {} went back to {}, but {} was the last good one", job.name,
                         job.running_image, known->second);
    }
  }
  if (std::string found = unmatched(stage, engines); !found.empty()) return found;
  if (std::string found = unsettled_routes(stage, engines); !found.empty()) return found;
  return meddled(engines);
}

}  // namespace rowlock::simulator
