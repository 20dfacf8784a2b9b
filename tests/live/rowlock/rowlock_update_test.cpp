// A new spec takes over, on a real engine: without a gap, in place, and with the controller killed
// at any moment of it.
#include "tests/live/rowlock/rowlock_home.h"
#include "tests/soak.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <atomic>
#include <thread>

using namespace rowlock;
using namespace rowlock_live;

namespace {

constexpr int kWebPort = 8080;
const int kKills = soaked(12, 50);
constexpr int kKillStepMs = 70;

// Looks at a job's containers again and again on a thread of its own, for as long as this lives.
class Watcher {
 public:
  // `look` gives a number, of which the smallest and the largest are kept.
  explicit Watcher(std::function<int()> look) : look_(std::move(look)) {
    thread_ = std::thread([this] {
      while (!stop_) {
        const int seen = look_();
        least_ = std::min(least_.load(), seen);
        most_ = std::max(most_.load(), seen);
        ++looks_;
      }
    });
  }
  ~Watcher() { finish(); }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  void finish() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  int least() const { return least_; }
  int most() const { return most_; }
  int looks() const { return looks_; }

 private:
  std::function<int()> look_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> least_ = 1000;
  std::atomic<int> most_ = 0;
  std::atomic<int> looks_ = 0;
  std::thread thread_;
};

// How many containers of the job answer. Those that run are listed first: one that is stopped
// between the list and the question is missed, its successor is not.
int answering(DockerRuntime& engine, const std::string& home, const std::string& job) {
  const auto listed = engine.list();
  if (!listed.ok()) return 1;
  int count = 0;
  for (const Container& container : listed.value()) {
    const bool is_ours = container.home == home && container.job == job;
    if (is_ours && container.state == ContainerState::running)
      count += http_body(container.address, kWebPort).empty() ? 0 : 1;
  }
  return count;
}

int running_now(DockerRuntime& engine, const std::string& home, const std::string& job) {
  const auto listed = engine.list();
  if (!listed.ok()) return 0;
  return static_cast<int>(
      std::count_if(listed.value().begin(), listed.value().end(), [&](const Container& container) {
        return container.home == home && container.job == job &&
               container.state == ContainerState::running;
      }));
}

std::string fresh_count(LiveHome& home, int restart) {
  return home.state(
      "SELECT count(*) FROM instance AS i JOIN spec AS s ON s.id = i.spec WHERE i.run = 1 AND "
      "i.container = 'running' AND json_extract(s.body, '$.restart') = " +
      std::to_string(restart));
}

}  // namespace

Test(live_rowlock_update, start_first_never_has_fewer_healthy_than_wanted, .timeout = 240) {
  LiveHome home;
  home.start_and_reach();
  home.accept("BEGIN;" +
              insert_job("web", {{"count", "2"},
                                 {"network", "'bridge'"},
                                 {"command", web_command("one", kWebPort)},
                                 {"stop_signal", "'SIGTERM'"},
                                 {"min_healthy_ms", "600"}}) +
              "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 8080);"
              "INSERT INTO job_check (job, name, type, port, passes) VALUES "
              "('web', 'up', 'http', 'http', 2); COMMIT;");
  home.await_converged("web");
  const std::string id = home.state("SELECT id FROM home");
  DockerRuntime engine(engine_endpoint());
  require(answering(engine, id, "web") == 2, "the two do not answer\n" + home.story());

  Watcher watcher([&] { return answering(engine, id, "web"); });
  home.accept("UPDATE job SET command = " + web_command("two", kWebPort));
  home.await_converged("web");
  home.await_exactly("web", 2);
  watcher.finish();

  cr_expect(watcher.looks() > 10, "%d looks", watcher.looks());
  cr_expect(watcher.least() == 2, "only %d answered", watcher.least());
  cr_expect(watcher.most() == 3, "%d answered at once", watcher.most());
  for (const Container& container : home.running("web"))
    cr_expect(http_body(container.address, kWebPort) == "two\n");
  cr_expect(home.state("SELECT count(*) FROM event WHERE what = 'failed'") == "0");
}

Test(live_rowlock_update, stop_first_holds_its_port_with_one_at_a_time, .timeout = 240) {
  LiveHome home;
  home.start_and_reach();
  const int port = port_free_a_moment_ago();
  home.accept("BEGIN;" +
              insert_job("web", {{"update_order", "'stop_first'"},
                                 {"network", "'bridge'"},
                                 {"command", web_command("one", kWebPort)},
                                 {"stop_signal", "'SIGTERM'"}}) +
              "INSERT INTO job_port (job, label, port, host_port) VALUES ('web', 'http', 8080, " +
              std::to_string(port) + "); COMMIT;");
  home.await_converged("web");
  const auto published = [&] { return http_body("127.0.0.1", port); };
  await_answer("the first answers", published, "one\n", [&] { return home.story(); });

  DockerRuntime engine(engine_endpoint());
  const std::string id = home.state("SELECT id FROM home");
  Watcher watcher([&] { return running_now(engine, id, "web"); });
  home.accept("UPDATE job SET command = " + web_command("two", kWebPort));
  home.await_converged("web");
  await_answer("the second answers", published, "two\n", [&] { return home.story(); });
  watcher.finish();

  home.await_exactly("web", 1);
  cr_expect(watcher.most() == 1, "%d ran at once", watcher.most());
  cr_expect(home.state("SELECT count(*) FROM event WHERE what LIKE '%failed%'") == "0");
}

Test(live_rowlock_update, a_controller_killed_at_any_moment_of_it_ends_it_well, .timeout = 3600) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("web", {{"count", "2"}, {"min_healthy_ms", "100"}}));
  home.await_converged("web");

  for (int round = 1; round <= kKills; ++round) {
    home.edit("UPDATE job SET restart = " + std::to_string(round));
    // Not to wait for anything: this is the moment that is tried.
    std::this_thread::sleep_for(std::chrono::milliseconds((round - 1) * kKillStepMs));
    home.kill();
    home.start();
    await_answer(
        "round " + std::to_string(round), [&] { return fresh_count(home, round); }, "2",
        [&] { return home.story(); });
    home.await_converged("web");
    home.await_exactly("web", 2);
    require(fresh_count(home, round) == "2", "round " + std::to_string(round) + home.story());
  }
  cr_expect(home.state("SELECT count(*) FROM stray") == "0");
}
