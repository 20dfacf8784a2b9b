// A thousand routes to two hundred jobs, each a real container: what a change of weight takes, what
// a reload under load loses, and how much memory both processes need.
#include "tests/bench/load.h"
#include "tests/bench/measures.h"
#include "tests/bench/routed_app.h"

#include <fmt/format.h>

#include <fstream>
#include <thread>

namespace rowlock::bench {

namespace {

const int kJobs = sized(200, 3);
const int kRoutes = sized(1000, 15);
constexpr int kFirstPort = 21000;
const int kWeightChanges = sized(40, 2);
const int kReloads = sized(10, 1);
constexpr int kConnections = 20;

// Each listens on a port of its own, on the host's network, and is ready at once.
std::string insert_jobs() {
  std::string rows;
  for (int i = 0; i < kJobs; ++i) {
    rows += fmt::format(
        "INSERT INTO job (name, image, command, network, min_healthy_ms, stop_timeout_ms, "
        "drain_timeout_ms) VALUES ('many-{0}', '{1}', '[\"/app/slow_app\",\"{2}\",\"0\",\"5\","
        "\"x\"]', 'host', 0, 1000, 1000);"
        "INSERT INTO job_port (job, label, port) VALUES ('many-{0}', 'http', {2});"
        "INSERT INTO job_mount (job, path, type, source, read_only) VALUES "
        "('many-{0}', '/app', 'bind', '{3}', 1);",
        i, kImage, kFirstPort + i, apps_folder());
  }
  return rows;
}

// Five to a job; the first moves between two jobs.
std::string insert_routes() {
  std::string rows;
  for (int i = 0; i < kRoutes; ++i) {
    rows += fmt::format(
        "INSERT INTO route (name, host, path, job, port) VALUES "
        "('r{0}', 'h{1}.example.org', '{2}', 'many-{3}', 'http');",
        i, i / 2, i % 2 == 0 ? "/" : "/app", i % kJobs);
  }
  return rows + "UPDATE route SET next_job = 'many-1', next_percent = 10 WHERE name = 'r0';";
}

long resident_kb(const std::string& process) {
  std::ifstream status("/proc/" + process + "/status");
  long kb = 0;
  for (std::string word; status >> word;) {
    if (word == "VmRSS:") status >> kb;
  }
  return kb;
}

// The worker of a master is the child that uses more.
long proxy_resident_kb(const std::string& master) {
  long most = 0;
  std::ifstream children("/proc/" + master + "/task/" + master + "/children");
  for (std::string child; children >> child;) most = std::max(most, resident_kb(child));
  return most + resident_kb(master);
}

// From the return of COMMIT until the row says that the proxy has acknowledged.
Samples change_weights(Service& service) {
  auto opened = Database::open(service.folder() + "/state.db", Database::Mode::read_only);
  Database state = std::move(opened).value();
  Samples took;
  for (int i = 0; i < kWeightChanges; ++i) {
    const int percent = 11 + i;  // Up to 50: above, it is the other weight that changes.
    const int weight = static_cast<int>(256.0 * percent / (100 - percent) + 0.5);
    service.edit(fmt::format("UPDATE route SET next_percent = {} WHERE name = 'r0'", percent));
    const Moment from = now();
    while (true) {
      const auto row = state.scalar(
          "SELECT acknowledged_weight FROM route_target WHERE route = 'r0' AND job = 'many-1' AND "
          "ended_at_ms IS NULL");
      if (row.ok() && text_of(row.value()) == std::to_string(weight)) break;
      if (ms_between(from, now()) > 10000) give_up("the weight does not change");
      std::this_thread::sleep_for(std::chrono::microseconds(200));  // Two cores are few.
    }
    took.add(ms_between(from, now()));
    service.await_none("SELECT 1 FROM status WHERE state <> 'converged'");
  }
  return took;
}

}  // namespace

void measure_many_routes(const std::string& endpoint,
                         const std::function<void(std::vector<Figure>)>& take) {
  Service service(endpoint);
  const int port = free_port();
  Moment from = now();
  service.edit_and_converge("BEGIN; " + insert_jobs() + "COMMIT;");
  const double jobs_s = ms_between(from, now()) / 1000;
  from = now();
  service.edit_and_converge(
      fmt::format("BEGIN; INSERT INTO proxy (listen) VALUES ('127.0.0.1:{}'); {} COMMIT;", port,
                  insert_routes()));
  const double routes_s = ms_between(from, now()) / 1000;

  const Samples weights = change_weights(service);
  take({at_most(
      fmt::format("(r4) {} routes, {} jobs: a weight, commit → acknowledged", kRoutes, kJobs),
      weights.median(), 10, " ms",
      fmt::format("{}; all jobs took {:.1f} s, all routes {:.1f} s", weights.text(), jobs_s,
                  routes_s))});

  Load load =
      Load::constant(fmt::format("http://127.0.0.1:{}/", port), "h7.example.org", kConnections);
  Samples reloads;
  for (int i = 0; i < kReloads; ++i) {
    from = now();
    service.edit_and_converge(fmt::format(
        "INSERT OR REPLACE INTO route_header (route, name, value) VALUES ('r9', 'X-N', '{}')", i));
    reloads.add(ms_between(from, now()));
  }
  const LoadResult result = load.result();
  take({at_most("(r4) reloads under load: failed requests", static_cast<double>(result.failed), 0,
                "",
                fmt::format("of {}; an edit with its reload: {} ms {}", result.requests,
                            reloads.text(), result.errors))});

  const std::string master = service.value("SELECT process FROM proxy_state");
  const double ours = static_cast<double>(resident_kb(std::to_string(service.process()))) / 1024;
  const double proxys = static_cast<double>(proxy_resident_kb(master)) / 1024;
  take({at_most("(r4) memory of Rowlock with them", ours, 100, " MB",
                fmt::format("HAProxy {:.1f} MB", proxys))});
}

}  // namespace rowlock::bench
