// Trouble that goes on for long: a copy of the home that will not be told, a controller that is let
// run only now and then, one that is killed again and again. `make soak` makes the siege longer.
#include "tests/live/haproxy/http_load.h"
#include "tests/live/rowlock/routed_home.h"
#include "tests/live/rowlock/rowlock_child.h"
#include "tests/live/secrets/secret_home.h"
#include "tests/soak.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

using namespace rowlock;
using namespace rowlock_live;

namespace {

const int kCopyS = soaked(15, 600);
const int kPausesS = soaked(15, 3600);
const int kKills = soaked(4, 300);

using SteadyClock = std::chrono::steady_clock;

void let_pass(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

void nothing_failed(HttpLoad& load, LiveHome& home) {
  require(load.failed() == 0, fmt::format("{} of {} failed, first: {}\n{}", load.failed(),
                                          load.requests(), load.first_failure(), home.story()));
}

long middle(std::vector<long> values) {
  std::sort(values.begin(), values.end());
  return values.at(values.size() / 2);
}

}  // namespace

// Its second controller begins again as a supervisor would have it, with edits of its own.
Test(live_rowlock_siege, a_copy_that_begins_again_and_again_touches_nothing, .timeout = 1200) {
  LiveHome home;
  home.start_and_reach();
  home.accept(insert_job("still", {{"count", "3"}}) + insert_job("web", {{"count", "2"}}));
  home.await_converged("still");
  home.await_converged("web");
  const std::string still = home.identity("still");
  const std::string copy = home.folder() + "-copy";
  const std::string command = "cp -a " + home.folder() + " " + copy;
  require(std::system(command.c_str()) == 0, command);

  const auto ends = SteadyClock::now() + std::chrono::seconds(kCopyS);
  int rounds = 0;
  for (; SteadyClock::now() < ends; ++rounds) {
    require(Shell(copy + "/desired.db")
                .run(fmt::format("UPDATE job SET restart = {0}, count = {0} % 4", rounds))
                .empty(),
            "the copy could not be edited");
    Child second({std::getenv("ROWLOCK_TEST_BINARY"), "run", "--home", copy}, copy + "/run.out");
    home.accept(fmt::format("UPDATE job SET restart = {} WHERE name = 'web'", rounds + 1));
    const int code = second.await_end(kPatienceS);
    require(code == 75,
            fmt::format("the second one ended with {}: {}", code, file_text(copy + "/run.out")));
    home.await_converged("web");
    home.await_exactly("web", 2);
    require(home.identity("still") == still, "what was not edited was touched\n" + home.story());
  }

  home.await_exactly("still", 3);
  cr_expect(home.state("SELECT count(*) FROM stray") == "0");
  cr_expect_gt(rounds, 1);
  fmt::print(stderr, "a copy: {} starts and {} edits on both in {} s, nothing was touched\n",
             rounds, rounds, kCopyS);
  std::filesystem::remove_all(copy);
}

// As a busy machine does: the controller stands still for longer than its checks may take.
Test(live_rowlock_siege, a_controller_that_stands_still_now_and_then_loses_nothing,
     .timeout = 4000) {
  LiveHome home;
  home.start_and_reach();
  const int port = route_two_apps(home);
  home.accept("UPDATE job_check SET timeout_ms = 800, failures = 1");
  await_served(home);
  const std::string identity = home.identity("app");

  HttpLoad load("127.0.0.1", port, "site.example.org", 4);
  std::mt19937 random(1);
  std::uniform_int_distribution<int> stands_ms(100, 2500);
  std::uniform_int_distribution<int> runs_ms(100, 2000);
  const auto ends = SteadyClock::now() + std::chrono::seconds(kPausesS);
  int pauses = 0;
  for (; SteadyClock::now() < ends; ++pauses) {
    require(::kill(home.process(), SIGSTOP) == 0, "it could not be stopped");
    let_pass(stands_ms(random));
    require(::kill(home.process(), SIGCONT) == 0, "it could not go on");
    let_pass(runs_ms(random));
  }
  load.stop();

  nothing_failed(load, home);
  await_served(home);
  cr_expect(home.identity("app") == identity, "an instance was lost: %s", home.story().c_str());
  fmt::print(stderr, "pauses: {} in {} s, {} requests, 0 failed, no instance lost\n", pauses,
             kPausesS, load.requests());
}

// With edits, a secret, a route and its requests: how long an edit takes to be all there, beside
// one that nobody disturbs.
Test(live_rowlock_siege, a_controller_killed_many_times_leaves_no_duplicate_and_no_orphan,
     .timeout = 7200) {
  SecretHome home;
  home.put("db/prod", "secret-of-the-siege");
  const int port = route_two_apps(home);
  home.accept(insert_secret("app"));
  await_served(home);
  HttpLoad load("127.0.0.1", port, "site.example.org", 2);

  int restart = 0;
  const auto edit_takes_ms = [&](int killed_after_ms) {
    const auto began = SteadyClock::now();
    home.edit(fmt::format("UPDATE job SET restart = {}", ++restart));
    if (killed_after_ms >= 0) {
      let_pass(killed_after_ms);
      home.kill();
      home.start();
    }
    await_answer(
        "edit " + std::to_string(restart),
        [&] {
          return home.state(fmt::format(
              "SELECT count(*) FROM instance AS i JOIN spec AS s ON s.id = i.spec WHERE i.run = 1 "
              "AND i.healthy_at_ms IS NOT NULL AND json_extract(s.body, '$.restart') = {}",
              restart));
        },
        "2", [&] { return home.story(); });
    await_served(home);
    home.await_exactly("app", 2);
    for (const Container& running : home.running("app")) {
      require(home.held(running.name, "pw") == "secret-of-the-siege",
              running.name + " has no secret\n" + home.story());
    }
    return static_cast<long>(
        std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - began).count());
  };
  std::vector<long> quiet_ms;
  std::vector<long> killed_ms;
  std::mt19937 random(1);
  std::uniform_int_distribution<int> killed_after_ms(0, 3000);
  for (int round = 0; round < std::max(2, kKills / 20); ++round) {
    quiet_ms.push_back(edit_takes_ms(-1));
  }
  for (int round = 0; round < kKills; ++round) {
    killed_ms.push_back(edit_takes_ms(killed_after_ms(random)));
  }
  load.stop();

  nothing_failed(load, home);
  cr_expect(home.state("SELECT count(*) FROM stray") == "0");
  fmt::print(stderr, "kills: {}, {} requests, 0 failed; an edit takes {} ms (worst {}), quiet {}\n",
             kKills, load.requests(), middle(killed_ms),
             *std::max_element(killed_ms.begin(), killed_ms.end()), middle(quiet_ms));
}
