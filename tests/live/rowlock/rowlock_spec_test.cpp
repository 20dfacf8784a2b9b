// Specs that cannot be: each is told in one sentence that says what is in the way, and nothing else
// that runs is disturbed.
#include "tests/live/rowlock/rowlock_home.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <unistd.h>

using namespace rowlock;
using namespace rowlock_live;

namespace {

constexpr char kRegistry[] = "/usr/bin/docker-registry";  // Debian's package of that name.

// A healthy job that must not notice anything. Give it its own name.
class Neighbour {
 public:
  explicit Neighbour(LiveHome& home) : home_(home) {
    home_.accept(insert_job("neighbour"));
    home_.await_converged("neighbour");
    before_ = home_.identity("neighbour");
  }
  void expect_undisturbed(const std::string& by) const {
    cr_expect(!before_.empty() && home_.identity("neighbour") == before_,
              "%s disturbed the neighbour", by.c_str());
  }

 private:
  LiveHome& home_;
  std::string before_;
};

bool is_on_the_node(const std::string& image, const std::string& arch) {
  DockerRuntime runtime(engine_endpoint());
  ContainerSpec spec;
  spec.name = "rowlock-live-never-made";
  spec.image = image;
  spec.arch = arch;
  const auto made = runtime.create(spec);  // Of another architecture: it is not made.
  return !made.ok() && made.error().cause != Cause::image_absent;
}

}  // namespace

Test(live_rowlock_spec, what_cannot_be_says_why_in_a_sentence, .timeout = 280) {
  LiveHome home;
  home.start_and_reach();
  const Neighbour neighbour(home);
  const std::string arch = home.state("SELECT arch FROM node_state");
  struct Case {
    const char* name;
    std::map<std::string, std::string> columns;
    const char* state;
    std::string sentence;
  };
  std::vector<Case> cases = {
      {"unreachable",
       {{"image", "'127.0.0.1:1/absent:1'"}},
       "converging",
       "resolve 127.0.0.1:1/absent:1: "},
      {"malformed", {{"image", "'UPPER:1'"}}, "failed", "correct job.image"},
      {"program", {{"command", R"('["/no/such/program"]')"}}, "failed", "job.command"},
      {"user", {{"user", "'nobody-knows'"}}, "failed", "job.user"},
      {"memory", {{"memory_mb", "16777216"}}, "waiting", "MB, the job asks for 16777216 MB"},
      {"cpus", {{"cpus", "1024"}}, "waiting", "cpus, the job asks for 1024"},
      {"network", {{"network", "'no-such-network'"}}, "failed", "create the network on the node"},
  };
  if (is_on_the_node(kOtherArchImage, arch)) {
    cases.push_back({"arch",
                     {{"image", std::string("'") + kOtherArchImage + "'"}},
                     "failed",
                     "the node is " + arch});
  }
  std::string sql = "BEGIN;";
  for (const Case& each : cases) sql += insert_job(each.name, each.columns);

  home.accept(sql + "COMMIT;");

  for (const Case& each : cases) {
    home.await(
        "SELECT state FROM status WHERE kind = 'job' AND name = '" + std::string(each.name) + "'",
        each.state);
    home.await_why(each.name, each.sentence);
    const std::string detail = home.state(
        "SELECT detail FROM status WHERE kind = 'job' AND name = '" + std::string(each.name) + "'");
    cr_expect(detail.size() > std::string("0/1 healthy").size(), "%s: %s", each.name,
              detail.c_str());
    cr_expect(home.running(each.name).empty(), "%s runs", each.name);
  }
  home.await_converged("neighbour");
  neighbour.expect_undisturbed("one of them");

  home.accept(
      "UPDATE job SET image = 'rowlock-test:1', command = '[\"sleep\",\"1000\"]', "
      "network = 'host', user = NULL, memory_mb = 0, cpus = 0 WHERE name <> 'neighbour'");
  for (const Case& each : cases) home.await_converged(each.name);
  neighbour.expect_undisturbed("putting them right");
}

Test(live_rowlock_spec, an_image_that_the_registry_does_not_have_is_rejected, .timeout = 120) {
  if (::access(kRegistry, X_OK) != 0) cr_skip_test("docker-registry is not installed");
  LiveHome home;
  const std::string address = "127.0.0.1:" + std::to_string(port_free_a_moment_ago());
  const std::string config = home.folder() + "/registry.yml";
  std::ofstream(config) << "version: 0.1\nlog: {level: error}\nstorage: {filesystem: "
                           "{rootdirectory: "
                        << home.folder() << "/registry}}\nhttp: {addr: '" << address << "'}\n";
  const Child registry({kRegistry, "serve", config}, "/dev/null");
  home.start_and_reach();

  home.accept(insert_job("web", {{"image", "'" + address + "/nothing:1'"}}));

  home.await("SELECT state FROM status WHERE name = 'web'", "failed");
  home.await_why("web", "the registry has no such image (correct job.image)");
}

Test(live_rowlock_spec, a_command_that_ends_at_once_is_restarted_ever_later, .timeout = 180) {
  LiveHome home;
  home.start_and_reach();
  const Neighbour neighbour(home);

  // On a busy machine the engine tells late of an end: what ran for a second is no proof of health.
  home.accept(insert_job("web", {{"command", R"('["sh","-c","echo last words; exit 3"]')"},
                                 {"min_healthy_ms", "10000"},
                                 {"restart_delay_ms", "400"},
                                 {"failures_max", "2"}}));
  home.await(
      "SELECT COALESCE(max(streak), 0) >= 3 FROM instance WHERE job = 'web' AND "
      "log IS NOT NULL",
      "1");

  const std::string early = home.state(
      "SELECT next.streak, next.placed_at_ms - last.ended_at_ms FROM instance AS next "
      "JOIN instance AS last ON last.job = next.job AND last.streak = next.streak - 1 "
      "WHERE next.job = 'web' AND next.streak >= 2 "
      "AND next.placed_at_ms - last.ended_at_ms < 400 * (1 << (next.streak - 2))");
  cr_expect(early.empty(), "too early (streak|after ms): %s", early.c_str());
  cr_expect(home.state("SELECT DISTINCT log, exit_code FROM instance WHERE log IS NOT NULL") ==
            "last words\n|3");
  home.await("SELECT state FROM status WHERE name = 'web'", "failed");
  home.await_why("web", "its process ended with exit code 3; its last lines: \nlast words");
  cr_expect(home.containers("web").size() <= 5, "%zu containers", home.containers("web").size());
  neighbour.expect_undisturbed("the crashing one");
}

Test(live_rowlock_spec, a_port_that_another_process_has_is_waited_for, .timeout = 180) {
  LiveHome home;
  home.start_and_reach();
  const Neighbour neighbour(home);
  auto taken = std::make_unique<TakenPort>();
  const std::string port = std::to_string(taken->number());

  home.accept("BEGIN;" +
              insert_job("web", {{"network", "'bridge'"}, {"update_order", "'stop_first'"}}) +
              "INSERT INTO job_port (job, label, port, host_port) VALUES ('web', 'http', 80, " +
              port + "); COMMIT;");
  home.await_why("web", "port " + port + " is taken by another process");
  cr_expect(home.running("web").empty());
  taken.reset();

  home.await_converged("web");
  home.await_exactly("web", 1);
  neighbour.expect_undisturbed("the port");
}

Test(live_rowlock_spec, a_bad_update_goes_back_once_and_says_so, .timeout = 240) {
  LiveHome home;
  home.start_and_reach();
  const Neighbour neighbour(home);
  home.accept("BEGIN;" +
              insert_job("web", {{"command", R"('["sh","-c","touch /tmp/ok; exec sleep 10000"]')"},
                                 {"healthy_deadline_ms", "2500"},
                                 {"failures_max", "2"}}) +
              "INSERT INTO job_check (job, name, type, command, interval_ms) "
              "VALUES ('web', 'ok', 'exec', '[\"test\",\"-e\",\"/tmp/ok\"]', 300); COMMIT;");
  home.await_converged("web");
  const std::string good = home.identity("web");

  const std::pair<const char*, const char*> updates[] = {
      {R"(command = '["sleep","20000"]')", "not healthy within healthy_deadline_ms"},
      {R"(command = '["/no/such/program"]')", "the new spec was rejected"},
      {R"(command = '["sh","-c","exit 7"]')", "exit code 7"},
  };
  std::size_t reverts = 0;
  for (const auto& [update, sentence] : updates) {
    home.accept(std::string("UPDATE job SET ") + update + " WHERE name = 'web'");
    home.await("SELECT count(*) FROM deployment WHERE cause = 'revert'", std::to_string(++reverts));
    home.await_why("web", sentence);
    home.await_why("web", "the last spec that was healthy runs until the row is changed");
    home.await("SELECT state FROM status WHERE name = 'web'", "failed");
    home.await_exactly("web", 1);
    cr_expect(home.identity("web") == good, "%s disturbed the good one", update);
  }
  // It stays there: a full observation later nothing more was tried.
  const std::string clock = home.state("SELECT now_ms + 5000 FROM clock");
  home.await("SELECT now_ms > " + clock + " FROM clock", "1");
  cr_expect(home.state("SELECT count(*) FROM deployment WHERE cause = 'revert'") ==
            std::to_string(reverts));
  cr_expect(home.identity("web") == good);
  neighbour.expect_undisturbed("the bad updates");

  home.accept(R"(UPDATE job SET command = '["sh","-c","touch /tmp/ok; exec sleep 30000"]')"
              " WHERE name = 'web'");
  home.await_converged("web");
  home.await_exactly("web", 1);
  cr_expect(home.identity("web") != good);
}
