// What needs no engine: planning among many rows, and noticing an edit.
#include "controller/base/time.h"
#include "controller/edit_watch.h"
#include "controller/store/home.h"
#include "tests/bench/measures.h"

#include <fmt/format.h>

#include <filesystem>
#include <sys/wait.h>
#include <unistd.h>

namespace rowlock::bench {

namespace {

const int kJobs = sized(10000, 100);
const int kNames = sized(2000, 10);
const int kEdits = sized(400, 5);

// Converged jobs of five instances, each with a port, a variable and a check.
constexpr std::string_view kManyRows = R"(
INSERT INTO node (name) VALUES ('local');
INSERT INTO node_state (node, driver, endpoint, reach, since_ms, arch, cpus, memory_mb, look_at_ms)
VALUES ('local', 'docker', '', 'reached', 0, 'amd64', 1000, 1000000, 9000000000000);
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :jobs)
INSERT INTO job (name, image, count) SELECT 'job' || i, 'image:1', 5 FROM n;
INSERT INTO job_env (job, name, value) SELECT name, 'A', 'b' FROM job;
INSERT INTO job_port (job, label, port) SELECT name, 'http', 80 FROM job;
INSERT INTO job_check (job, name, type, port) SELECT name, 'http', 'http', 'http' FROM job;
INSERT INTO spec (job, body) SELECT job, body FROM job_spec;
INSERT INTO deployment (job, asked, spec, cause, state, proven, started_at_ms)
SELECT job, id, id, 'edit', 'succeeded', 1, 0 FROM spec;
INSERT INTO instance (job, slot, spec, node, name, container, streak, cpus, memory_mb, stop_signal,
                      stop_timeout_ms, placed_at_ms, started_at_ms, healthy_at_ms, since_ms)
SELECT s.job, n.number, s.id, 'local', s.job || '-' || n.number, 'running', 0, 0, 0, 'SIGTERM',
       10, 0, 0, 0, 0
FROM spec AS s JOIN slot AS n ON n.number < 5;
INSERT INTO check_state (instance, name, passes, since_ms) SELECT id, 'http', 1, 0 FROM instance;
)";

std::string new_folder() {
  char name[] = "/tmp/rowlock-bench-XXXXXX";
  if (mkdtemp(name) == nullptr) {
    give_up("mkdtemp failed");
  }
  return name;
}

// What a plan of the job cannot do without: its rows and those of its instances, each by its key.
constexpr std::string_view kRowsOfOneJob = R"(
SELECT j.image, d.state, s.body, e.value, p.port, c.path, i.container, i.healthy_at_ms, k.passes
FROM job AS j
CROSS JOIN deployment AS d ON d.job = j.name AND d.current = 1
CROSS JOIN spec AS s ON s.id = d.spec
CROSS JOIN job_env AS e ON e.job = j.name
CROSS JOIN job_port AS p ON p.job = j.name
CROSS JOIN job_check AS c ON c.job = j.name
CROSS JOIN instance AS i ON i.job = j.name
CROSS JOIN check_state AS k ON k.instance = i.id
WHERE j.name = :name)";

// The child commits, and tells through the pipe when COMMIT had returned.
[[noreturn]] void commit_many(const std::string& path, int pipe_end) {
  auto opened = Database::open(path, Database::Mode::read_write);
  Database database = std::move(opened).value();
  for (int i = 0; i < kEdits; ++i) {
    usleep(20000);
    (void)database.run("UPDATE node SET site = :i WHERE name = 'local'", {{"i", std::to_string(i)}})
        .ok();
    const Moment at = now();
    if (write(pipe_end, &at, sizeof at) != sizeof at) {
      _exit(1);
    }
  }
  _exit(0);
}

// Plans the name as the controller does: by the kinds that have it. Returns the count of rows.
std::size_t plan_of(Database& state, const std::string& name) {
  const auto rows_of = [&](const std::string& query) {
    auto rows = state.query(query, {{"name", name}});
    if (!rows.ok()) {
      give_up(rows.error().message);
    }
    return std::move(rows).value();
  };
  std::size_t count = 0;
  for (const Row& kind : rows_of("SELECT kind FROM temp.named WHERE name = :name ORDER BY kind")) {
    count += rows_of(fmt::format("SELECT kind, name, target, step, reason, due_at_ms FROM {}_plan "
                                 "WHERE name = :name",
                                 kind.text("kind")))
                 .size();
  }
  return count;
}

}  // namespace

Figure at_most(std::string what, double measured, double most, std::string unit,
               std::string detail) {
  return {std::move(what), fmt::format("{:.3g}{}", measured, unit),
          fmt::format("≤ {:.3g}{}", most, unit), measured <= most, std::move(detail)};
}

std::vector<Figure> measure_plan_of_one_job() {
  const std::string folder = new_folder();
  const Schema schema;
  auto opened = open_state(folder + "/state.db", schema, system_now_ms());
  if (!opened.ok()) {
    give_up(opened.error().message);
  }
  Database state = std::move(opened).value();
  if (auto filled = state.run(kManyRows, {{"jobs", std::int64_t{kJobs}}}); !filled.ok()) {
    give_up(filled.error().message);
  }
  // In one transaction, as a pass of the controller is.
  auto transaction = Transaction::begin(state);
  Samples planned;
  Samples read;
  for (int i = 0; i < kNames; ++i) {
    const std::string name = fmt::format("job{}", (i * 7919) % kJobs);
    Moment from = now();
    const std::size_t planned_rows = plan_of(state, name);
    planned.add(ms_between(from, now()));
    from = now();
    const auto rows = state.query(kRowsOfOneJob, {{"name", name}});
    read.add(ms_between(from, now()));
    if (planned_rows != 0 || !rows.ok() || rows.value().size() != 5) {
      give_up(fmt::format("{} is no converged job of five instances", name));
    }
  }
  std::filesystem::remove_all(folder);
  return {at_most("(5) plan one job of 10,000 with 50,000 instances", planned.median(), 0.2, " ms",
                  planned.text()),
          at_most("(5) the same, over reading its rows by their keys",
                  planned.median() / read.median(), 4, "", "reading " + read.text())};
}

std::vector<Figure> measure_notice() {
  const Home home(new_folder());
  const Schema schema;
  if (auto made = home.create(schema, system_now_ms()); !made.ok()) {
    give_up(made.error().message);
  }
  int ends[2];
  if (pipe(ends) != 0) {
    give_up("pipe failed");
  }
  const pid_t child = fork();
  if (child == 0) {
    commit_many(home.desired_path(), ends[1]);
  }
  Loop loop;
  DesiredFile file(home.desired_path(), schema);
  (void)file.read().ok();
  auto opened = Database::open(home.desired_path(), Database::Mode::read_only);
  if (!opened.ok()) {
    give_up(opened.error().message);
  }
  Database reader = std::move(opened).value();
  Samples late;
  EditWatch watch(loop, home.folder(), file, [&] {
    if (!file.changed()) {
      return;
    }
    const Moment noticed = now();
    (void)file.read().ok();
    // Two edits can be noticed at once: the file says which was the last.
    const auto last = reader.query("SELECT CAST(site AS INTEGER) AS edit FROM node");
    while (last.ok() && static_cast<std::int64_t>(late.size()) <= last.value()[0].integer("edit")) {
      Moment committed;
      if (read(ends[0], &committed, sizeof committed) != sizeof committed) {
        give_up("whoever edits has ended early");
      }
      late.add(std::max(0.0, ms_between(committed, noticed)));
    }
    if (late.size() == static_cast<std::size_t>(kEdits)) {
      loop.stop();
    }
  });
  auto bound = loop.timer();
  bound->start(60000, [&] { loop.stop(); });
  loop.run();
  waitpid(child, nullptr, 0);
  std::filesystem::remove_all(home.folder());
  return {at_most("(7) an edit by another process noticed, p99", late.quantile(0.99), 2, " ms",
                  late.text())};
}

}  // namespace rowlock::bench
