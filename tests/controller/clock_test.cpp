// The loop on clocks that jump and stand still: somebody sets the wall clock, the machine is
// suspended, the controller is stopped. What it measures by itself must go on as if nothing was.
#include "controller/adapters/system_clock.h"
#include "controller/controller.h"
#include "reconcilers/registry.h"
#include "reconcilers/work/check.h"
#include "tests/controller/hand_executor.h"
#include "tests/fakes/fake_world.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <deque>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace rowlock;

namespace {

constexpr std::int64_t kHourMs = 3'600'000;

// Checks are answered when the test says so. Whoever passed once goes on to pass.
class TurnedProber final : public Prober {
 public:
  void probe(const Probe& probe, std::function<void(const ProbeResult&)> done) override {
    ++asked;
    if (passes) good_.insert(probe.address);
    const bool is_good = good_.contains(probe.address);
    waiting_.emplace_back([done, is_good] { done({is_good, is_good ? "" : "refused"}); });
  }
  void answer() {
    for (const auto& answer : std::exchange(waiting_, {})) answer();
  }
  bool passes = true;  // Those that are new.
  int asked = 0;

 private:
  std::set<std::string> good_;
  std::vector<std::function<void()>> waiting_;
};

// The machine: its clocks, and the fakes on it.
struct Machine final : FakeWorld {
  std::int64_t wall_now_ms = 1'795'345'948'123;
  std::int64_t boot_now_ms = 5000;
  std::unique_ptr<SystemClock> steady = clock_of_process();
  TurnedProber turned_prober;

  Machine() {
    for (const char* image : {"good:1", "good:2"}) fake_engine().add_image(image);
  }
  std::unique_ptr<SystemClock> clock_of_process() {
    return std::make_unique<SystemClock>(SystemClock::Sources{
        [this] { return wall_now_ms; }, [this] { return boot_now_ms; }, "this boot"});
  }
  void go_on(std::int64_t ms) {
    wall_now_ms += ms;
    boot_now_ms += ms;
  }
  Clock& clock() override { return *steady; }
  Prober& prober() override { return turned_prober; }
};

struct Ship {
  MadeHome made;
  Database state = made.state();
  DesiredFile desired{made.home.desired_path(), made.schema};
  Secrets secrets{state, made.schema};
  Reconcilers reconcilers = all_reconcilers(secrets, state, made.schema);
  Machine machine;
  HandExecutor executor;
  std::FILE* nowhere = std::fopen("/dev/null", "w");
  Log log{Log::Format::json, nowhere};
  Shell shell{made.home.desired_path()};
  std::unique_ptr<Controller> controller;
  std::unique_ptr<Checks> checks;

  Ship() { start(); }
  ~Ship() { std::fclose(nowhere); }

  // A new process, with clocks of its own.
  void start() {
    executor.forget();
    machine.steady = machine.clock_of_process();
    cr_assert(resume_clock(machine.clock(), state, made.schema).ok());
    controller = std::make_unique<Controller>(
        Controller::Parts{state, made.schema, desired, reconcilers, machine, executor, log, [] {}});
    cr_assert(controller->begin().ok());
    checks = std::make_unique<Checks>(
        state, machine, executor,
        [this](const std::string& script, Values values) {
          controller->note(script, std::move(values));
        },
        [] {});
  }
  void pass() {
    do {
      auto passed = controller->pass();
      cr_assert(passed.ok(), "%s", passed.ok() ? "" : passed.error().message.c_str());
      cr_assert(checks->refresh(passed.value().names).ok());
      (void)checks->ask_due();
      machine.turned_prober.answer();
    } while (executor.make_one());
    cr_assert(controller->pass().ok());
  }
  // As the loop does, a few times a second.
  void run_for(std::int64_t ms) {
    pass();
    for (std::int64_t passed_ms = 0; passed_ms < ms; passed_ms += 250) {
      machine.go_on(250);
      pass();
    }
  }
  void edit(const std::string& text) {
    const std::string refused = shell.run(text);
    cr_assert(refused.empty(), "%s", refused.c_str());
  }
  std::string text(const std::string& query) { return text_of(state.scalar(query).value()); }
  std::string events(const std::string& what) {
    return text("SELECT count(*) FROM event WHERE what = '" + what + "'");
  }
  std::string status() {
    return text("SELECT state || ': ' || detail FROM status WHERE name = 'web'");
  }

  void run_web(const std::string& more = "") {
    edit(
        "INSERT INTO job (name, image, min_healthy_ms, healthy_deadline_ms, progress_deadline_ms) "
        "VALUES ('web', 'good:1', 10000, 20000, 30000);"
        "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
        "INSERT INTO job_check (job, name, type, port) VALUES ('web', 'up', 'tcp', 'http');" +
        more);
    run_for(20'000);
    cr_assert(status().find("converged") == 0, "%s", status().c_str());
  }
};

}  // namespace

Test(clocks, a_wall_clock_that_is_set_by_an_hour_stops_nothing) {
  for (const std::int64_t by_ms : {-kHourMs, kHourMs}) {
    Ship home;
    home.run_web();
    home.edit("UPDATE job SET image = 'good:2'");
    home.run_for(3000);
    const int asked = home.machine.turned_prober.asked;

    home.machine.wall_now_ms += by_ms;
    home.run_for(20'000);

    cr_expect_gt(home.machine.turned_prober.asked, asked + 3);
    cr_expect(home.status().find("converged") == 0, "%s", home.status().c_str());
    cr_expect_eq(home.text("SELECT state FROM deployment WHERE current = 1"), "succeeded");
    cr_expect(home.text("SELECT now_ms - observed_at_ms < 10000 FROM node_state JOIN clock") ==
              "1");
    cr_expect_eq(home.events(by_ms < 0 ? "set back" : "set forward"), "1");
    cr_expect_eq(
        home.text("SELECT detail FROM event WHERE kind = 'clock'"),
        by_ms < 0
            ? "the wall clock was set back by 1 h 0 min; deadlines and delays go on as they were"
            : "the wall clock was set forward by 1 h 0 min; deadlines and delays go on as they "
              "were");
  }
}

Test(clocks, a_wall_clock_that_is_set_forward_ends_no_deadline) {
  Ship home;
  home.run_web();
  home.machine.turned_prober.passes = false;
  home.edit("UPDATE job SET image = 'good:2'");
  home.run_for(3000);

  home.machine.wall_now_ms += kHourMs;
  home.run_for(3000);

  cr_expect_eq(home.text("SELECT state FROM deployment WHERE current = 1"), "running");
  home.machine.turned_prober.passes = true;
  home.run_for(25'000);
  cr_expect_eq(home.text("SELECT state FROM deployment WHERE current = 1"), "succeeded");
}

Test(clocks, what_happens_is_dated_by_the_clock_that_people_read) {
  Ship home;
  home.run_web();

  home.machine.wall_now_ms -= kHourMs;
  home.run_for(5000);
  home.edit("UPDATE job SET image = 'good:2'");
  home.run_for(5000);

  for (const char* last : {"SELECT at_ms FROM event ORDER BY id DESC LIMIT 1",
                           "SELECT at_ms FROM revision ORDER BY id DESC LIMIT 1"}) {
    const std::int64_t ago_ms = home.machine.wall_now_ms - std::stoll(home.text(last));
    cr_expect(ago_ms >= 0 && ago_ms <= 10'000, "%s: %lld ms ago", last,
              static_cast<long long>(ago_ms));
  }
}

Test(clocks, a_suspend_in_a_roll_out_fails_nothing) {
  for (const std::int64_t when_ms : {1000, 3000, 12'000}) {
    Ship home;
    home.run_web();
    home.machine.turned_prober.passes = false;
    home.edit("UPDATE job SET image = 'good:2'");
    home.run_for(when_ms);

    home.machine.go_on(45'000);
    home.run_for(2000);
    home.machine.turned_prober.passes = true;
    home.run_for(20'000);

    cr_expect_eq(home.text("SELECT state FROM deployment WHERE current = 1"), "succeeded",
                 "suspended after %lld ms", static_cast<long long>(when_ms));
    cr_expect_eq(home.text("SELECT count(*) FROM instance WHERE verdict = 'failed'"), "0");
    cr_expect_eq(home.events("not watched"), "1");
  }
}

Test(clocks, a_suspend_proves_nothing) {
  Ship home;
  home.run_web();
  home.edit("UPDATE job SET image = 'good:2'");
  home.run_for(3000);
  cr_assert_eq(home.text("SELECT state FROM deployment WHERE current = 1"), "running");

  home.machine.go_on(45'000);
  home.run_for(2000);

  cr_expect_eq(home.text("SELECT state FROM deployment WHERE current = 1"), "running");
  home.run_for(10'000);
  cr_expect_eq(home.text("SELECT state FROM deployment WHERE current = 1"), "succeeded");
}

Test(clocks, a_deadline_moves_by_the_suspend_and_by_no_more) {
  Ship home;
  home.run_web();
  home.machine.turned_prober.passes = false;
  home.edit("UPDATE job SET image = 'good:2'");
  for (int i = 0; i < 4; ++i) {
    home.run_for(3000);
    home.machine.go_on(45'000);
  }
  cr_expect_eq(home.text("SELECT state FROM deployment WHERE id = 2"), "running");

  home.run_for(40'000);

  cr_expect_eq(home.events("reverted"), "1");
}

Test(clocks, a_controller_that_starts_with_the_wall_clock_set_back_goes_on) {
  for (const std::int64_t by_ms : {-kHourMs, kHourMs}) {
    Ship home;
    home.run_web();
    home.edit("UPDATE job SET image = 'good:2'");
    home.run_for(3000);
    const std::int64_t before_ms = std::stoll(home.text("SELECT now_ms FROM clock"));

    home.machine.wall_now_ms += by_ms;
    home.machine.go_on(2000);
    home.start();
    home.run_for(20'000);

    cr_expect(home.status().find("converged") == 0, "%s", home.status().c_str());
    const std::int64_t passed_ms = std::stoll(home.text("SELECT now_ms FROM clock")) - before_ms;
    // The row is written every few seconds.
    cr_expect(passed_ms > 16'000 && passed_ms < 28'000, "%lld ms passed",
              static_cast<long long>(passed_ms));
    cr_expect_eq(home.events(by_ms < 0 ? "set back" : "set forward"), "1");
  }
}

Test(clocks, a_back_off_counts_the_suspend_and_not_the_wall_clock) {
  Ship home;
  home.run_web();
  home.machine.fake_engine().set_faults([](const std::string& call, const std::string&) {
    return call == "create" ? FaultPlan::fail_before : FaultPlan::none;
  });
  home.edit("INSERT INTO job (name, image) VALUES ('api', 'good:1')");
  home.run_for(1000);
  cr_assert_eq(home.text("SELECT count(*) FROM retry WHERE step = 'create'"), "1");
  home.machine.fake_engine().set_faults(
      [](const std::string&, const std::string&) { return FaultPlan::none; });

  home.machine.wall_now_ms -= kHourMs;
  home.machine.go_on(60'000);
  home.run_for(15'000);

  cr_expect_eq(home.text("SELECT state FROM status WHERE name = 'api'"), "converged");
}
