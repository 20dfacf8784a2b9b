// What needs an engine. The engine's own start events are the clock for both sides of every pair.
#include "controller/adapters/real_world.h"
#include "controller/backup/home_copies.h"
#include "controller/base/time.h"
#include "controller/controller.h"
#include "controller/store/home.h"
#include "reconcilers/registry.h"
#include "tests/bench/measures.h"
#include "tests/bench/service.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace rowlock::bench {

namespace {

const int kFirstPairs = sized(60, 1);
const int kTenRounds = sized(12, 1);
const int kKillPairs = sized(15, 1);
const int kLooks = sized(40, 2);
const int kIdleSeconds = sized(60, 1);
const int kSettleSeconds = sized(5, 0);
const int kIdleInstances = sized(100, 3);

// A job that sleeps on the host network and dies at once when it is told to.
std::string insert_job(const std::string& name, int count = 1) {
  return fmt::format(
      "INSERT INTO job (name, image, command, network, count, min_healthy_ms, stop_signal, "
      "stop_timeout_ms) VALUES "
      "('{}', '{}', '[\"sleep\",\"3600\"]', 'host', {}, 0, 'SIGKILL', 0);",
      name, kImage, count);
}

struct Bench {
  explicit Bench(const std::string& endpoint)
      : engine(endpoint), starts(endpoint), service(endpoint) {
    prefix = "rowlock-" + service.home_id() + "-";
  }

  BareEngine engine;
  StartEvents starts;
  Service service;
  std::string prefix;
};

Figure ratio(std::string what, double over, double under, double most, const Samples& ours,
             const Samples& bare) {
  return at_most(std::move(what), over / under, most, "",
                 "rowlock " + ours.text() + ", bare " + bare.text());
}

std::vector<Figure> measure_first(Bench& bench) {
  Samples ours;
  Samples bare;
  for (int i = 0; i < kFirstPairs; ++i) {
    const std::string name = fmt::format("bench-bare-{}-{}", getpid(), i);
    Moment from = now();
    bench.engine.create_and_start(name);
    bare.add(ms_between(from, bench.starts.await(name, 1, from)));
    bench.engine.remove(name);

    const std::string job = fmt::format("first-{}", i);
    from = now();
    bench.service.edit(insert_job(job));
    ours.add(ms_between(from, bench.starts.await(bench.prefix + job + "-", 1, from)));
    bench.service.delete_jobs(job);
  }
  return {ratio("(1) commit → running, over create+start", ours.median(), bare.median(), 1.10, ours,
                bare),
          ratio("(1) the same at p99", ours.quantile(0.99), bare.quantile(0.99), 1.25, ours, bare)};
}

double start_ten(Bench& bench, int round, int threads) {
  const std::string prefix = fmt::format("bench-ten-{}-{}-{}-", getpid(), round, threads);
  std::atomic<int> next{0};
  const auto work = [&] {
    for (int i = next++; i < 10; i = next++) {
      bench.engine.create_and_start(prefix + std::to_string(i));
    }
  };
  const Moment from = now();
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back(work);
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  const double took_ms = ms_between(from, bench.starts.await(prefix, 10, from));
  for (int i = 0; i < 10; ++i) {
    bench.engine.remove(prefix + std::to_string(i));
  }
  return took_ms;
}

std::vector<Figure> measure_ten(Bench& bench) {
  Samples ours;
  std::map<int, Samples> bare;
  for (int round = 0; round < kTenRounds; ++round) {
    for (const int threads : {1, 2, 4, 8}) {
      bare[threads].add(start_ten(bench, round, threads));
    }
    std::string edit = "BEGIN;";
    for (int i = 0; i < 10; ++i) {
      edit += insert_job(fmt::format("ten-{}-{}", round, i));
    }
    const Moment from = now();
    bench.service.edit(edit + "COMMIT;");
    ours.add(ms_between(
        from, bench.starts.await(fmt::format("{}ten-{}-", bench.prefix, round), 10, from)));
    bench.service.delete_jobs(fmt::format("ten-{}-%", round));
  }
  int best = 1;
  for (const auto& [threads, samples] : bare) {
    best = samples.median() < bare[best].median() ? threads : best;
  }
  return {ratio(fmt::format("(2) ten jobs at once → all running, over {} in parallel", best),
                ours.median(), bare[best].median(), 1.10, ours, bare[best])};
}

// Each container is killed once, after it has run a while, so that neither side is in a restart
// delay of its own. Docker's policy waits 100 ms and starts what is there, where Rowlock makes
// another at once: which is sooner depends on how long the machine takes to make one. Over its own
// parts it does not.
std::vector<Figure> measure_kill(Bench& bench) {
  Samples ours;
  Samples bare;
  Samples parts;
  bench.service.edit(insert_job("kill", kKillPairs));
  bench.service.await_none(
      fmt::format("SELECT 1 WHERE {} > (SELECT count(*) FROM instance WHERE job = 'kill' "
                  "AND healthy_at_ms IS NOT NULL)",
                  kKillPairs));
  std::vector<std::string> names;
  auto state = Database::open(bench.service.folder() + "/state.db", Database::Mode::read_only);
  Database database = std::move(state).value();
  const auto rows = database.query("SELECT name FROM instance WHERE job = 'kill' AND run = 1");
  for (const Row& row : rows.value()) {
    names.push_back(row.text("name"));
  }
  for (int i = 0; i < kKillPairs; ++i) {
    const std::string name = fmt::format("bench-kill-{}-{}", getpid(), i);
    bench.engine.create_and_start(name, true);
    std::this_thread::sleep_for(std::chrono::seconds(1));
    Moment from = now();
    bench.engine.kill(name);
    bare.add(ms_between(from, bench.starts.await(name, 1, from)));
    bench.engine.remove(name);
    const std::string another = name + "-parts";
    bench.engine.create_and_start(another);
    from = now();
    bench.engine.kill(another);
    bench.engine.await_exit(another);
    bench.engine.create_and_start(another + "-2");
    parts.add(ms_between(from, bench.starts.await(another + "-2", 1, from)));
    bench.engine.remove(another + "-2");
    bench.engine.remove(another);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    from = now();
    bench.engine.kill(names[static_cast<std::size_t>(i)]);
    ours.add(ms_between(from, bench.starts.await(bench.prefix + "kill-", 1, from)));
  }
  bench.service.delete_jobs("kill");
  return {ratio("(3) kill → running again, over --restart=always", ours.median(), bare.median(),
                0.70, ours, bare),
          ratio("(3) the same, over its parts: an end told, another made", ours.median(),
                parts.median(), 1.5, ours, parts)};
}

// The process at the other end of the engine's socket.
pid_t engine_process(const std::string& endpoint) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  endpoint.substr(std::string("unix://").size())
      .copy(address.sun_path, sizeof address.sun_path - 1);
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                     getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  close(fd);
  return known ? peer.pid : -1;
}

double resident_mb(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  std::string word;
  while (status >> word) {
    if (word == "VmRSS:") {
      double kb = 0;
      status >> kb;
      return kb / 1024;
    }
  }
  return 0;
}

double cpu_seconds(pid_t process) {
  std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(stat, line);
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) {
    fields >> skipped;
  }
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

void start_idle(Bench& bench) {
  bench.service.edit(insert_job("idle", kIdleInstances));
  bench.service.await_none(
      fmt::format("SELECT 1 WHERE {} > (SELECT count(*) FROM instance WHERE job = 'idle' "
                  "AND healthy_at_ms IS NOT NULL)",
                  kIdleInstances));
}

std::vector<Figure> measure_idle(Bench& bench, const std::string& endpoint) {
  const pid_t engine = engine_process(endpoint);
  std::this_thread::sleep_for(std::chrono::seconds(kSettleSeconds));
  const double before = cpu_seconds(bench.service.process());
  const double engine_before = cpu_seconds(engine);
  std::this_thread::sleep_for(std::chrono::seconds(kIdleSeconds));
  const double cpu = (cpu_seconds(bench.service.process()) - before) / kIdleSeconds * 100;
  const double engine_cpu = (cpu_seconds(engine) - engine_before) / kIdleSeconds * 100;
  const double ours_mb = resident_mb(bench.service.process());
  const double engine_mb = resident_mb(engine);
  return {
      at_most("(6) resident memory with 100 instances, over dockerd's", ours_mb / engine_mb, 0.20,
              "", fmt::format("rowlock {:.1f} MB, dockerd {:.1f} MB", ours_mb, engine_mb)),
      at_most("(6) CPU over a minute with 100 idle instances", cpu, 1, " %",
              fmt::format("of a core; dockerd {:.2f} %", engine_cpu))};
}

// Makes each step at once, on the caller's thread.
class DirectExecutor final : public Executor {
 public:
  void submit(const Place&, std::function<Outcome()> work,
              std::function<void(Outcome)> done) override {
    done(work());
  }
};

// In this process, on the home that the service has left behind: one look at everything, recorded,
// and the whole plan.
std::vector<Figure> measure_look(Bench& bench) {
  bench.service.stop();
  const Home home(bench.service.folder());
  const Schema schema;
  auto opened = open_state(home.state_path(), schema, system_now_ms());
  if (!opened.ok()) {
    give_up(opened.error().message);
  }
  Database state = std::move(opened).value();
  DesiredFile desired(home.desired_path(), schema);
  Secrets secrets(state, schema);
  const Reconcilers reconcilers = all_reconcilers(secrets, state, schema);
  Loop loop;
  RealWorld world(loop, home.folder(), std::make_unique<FolderCopies>(home.folder()));
  DirectExecutor executor;
  std::FILE* nowhere = std::fopen("/dev/null", "w");
  Log log(Log::Format::json, nowhere);
  Controller controller({state, schema, desired, reconcilers, world, executor, log, [] {}});
  // As if it had taken the lock of the service, which has ended.
  (void)state.run("UPDATE claimant SET place = (SELECT max(seen_place) FROM node_state)").ok();
  (void)controller.begin().ok();
  for (int i = 0; i < 20; ++i) {
    (void)controller.pass().ok();  // Until nothing is left to do.
  }
  Samples looks;
  Samples lists;
  for (int i = 0; i < kLooks; ++i) {
    const Moment before = now();
    (void)bench.engine.get("/containers/json?all=true");
    lists.add(ms_between(before, now()));
    controller.hint("node", "local");
    const Moment from = now();
    (void)controller.pass().ok();  // Marks the look, and makes it.
    (void)controller.pass().ok();  // Records what it saw.
    const auto plan = state.query("SELECT kind, name, target, step, reason, due_at_ms FROM plan");
    looks.add(ms_between(from, now()));
    for (const Row& row : plan.value()) {
      if (row.text("step") != "wait") {
        give_up("there is something to do: " + row.text("step") + " " + row.text("reason"));
      }
    }
  }
  std::fclose(nowhere);
  return {at_most("(4) look at 100 instances and plan, nothing to do", looks.median(), 10, " ms",
                  looks.text()),
          ratio("(4) the same, over the engine's own list", looks.median(), lists.median(), 1.5,
                looks, lists)};
}

}  // namespace

void measure_engine(const std::string& endpoint, const std::string& only,
                    const std::function<void(std::vector<Figure>)>& take) {
  Bench bench(endpoint);
  const auto is_wanted = [&](const std::string& name) { return only.empty() || only == name; };
  if (is_wanted("first")) take(measure_first(bench));
  if (is_wanted("ten")) take(measure_ten(bench));
  if (is_wanted("kill")) take(measure_kill(bench));
  if (is_wanted("idle") || is_wanted("look")) start_idle(bench);
  if (is_wanted("idle")) take(measure_idle(bench, endpoint));
  if (is_wanted("look")) take(measure_look(bench));
}

}  // namespace rowlock::bench
