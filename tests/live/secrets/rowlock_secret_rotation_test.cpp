// A new version of a secret for ten instances that serve requests: none fails, no more than
// max_parallel are touched at once, and the ledger says at every moment what each folder holds.
#include "tests/live/haproxy/http_load.h"
#include "tests/live/secrets/secret_home.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <thread>

using namespace rowlock;
using namespace rowlock_live;

namespace {

namespace fs = std::filesystem;

constexpr int kCount = 10;
constexpr int kMaxParallel = 2;
constexpr int kMinHealthyMs = 1000;
constexpr auto kRotationMax = std::chrono::seconds(240);
constexpr auto kSamplePause = std::chrono::milliseconds(20);

// The versions that each folder may hold, as the ledger has it.
using Ledger = std::map<std::string, std::set<std::string>>;

Ledger ledger_of(const SecretHome& home) {
  std::istringstream rows(
      home.state("SELECT holder, version FROM secret_use WHERE until_ms IS NULL"));
  Ledger ledger;
  for (std::string row; std::getline(rows, row);)
    ledger[row.substr(0, row.find('|'))].insert("version-" + row.substr(row.find('|') + 1));
  return ledger;
}

// Samples of a rotation, and what was wrong in them.
struct Samples {
  int count = 0;
  int exact = 0;  // Folders whose entry named one version, which was there.
  int healthy_min = kCount;
  int ready_min = kCount;
  std::string wrong;
};

// The ledger before and after the file: where both agree, that is what it said meanwhile. While a
// version takes another's place it names both.
void compare_ledger(const SecretHome& home, Samples& samples) {
  const Ledger before = ledger_of(home);
  std::map<std::string, std::string> held;
  std::error_code gone;
  for (const auto& folder : fs::directory_iterator(home.memory(), gone)) {
    const std::string name = folder.path().filename();
    if (name.find('~') == std::string::npos) held[name] = home.held(name, "pw");
  }
  Ledger after = ledger_of(home);
  for (const auto& [name, value] : held) {
    const auto said = before.find(name);
    const bool is_still = said != before.end() && after[name] == said->second;
    if (value.empty()) continue;  // It is being made, or taken away.
    if (said == before.end() && after[name].empty()) {
      samples.wrong += name + " holds " + value + ", the ledger does not know of it\n";
    }
    if (!is_still) continue;
    if (!said->second.contains(value)) {
      samples.wrong +=
          name + " holds " + value + ", the ledger says " + *said->second.begin() + "\n";
    } else if (said->second.size() == 1) {
      ++samples.exact;
    }
  }
}

void take_sample(const SecretHome& home, Samples& samples) {
  ++samples.count;
  const std::string healthy = home.state(
      "SELECT count(*) FROM instance AS i WHERE i.run = 1 AND i.container = 'running' "
      "AND i.healthy_at_ms IS NOT NULL AND NOT EXISTS (SELECT 1 FROM check_state AS c "
      "WHERE c.instance = i.id AND c.failures > 0)");
  const std::string ready =
      home.state("SELECT count(*) FROM route_target WHERE acknowledged = 'ready'");
  samples.healthy_min = std::min(samples.healthy_min, std::atoi(healthy.c_str()));
  samples.ready_min = std::min(samples.ready_min, std::atoi(ready.c_str()));
  compare_ledger(home, samples);
}

bool is_over(const SecretHome& home, int version) {
  return home.state("SELECT count(*) FROM secret_use WHERE until_ms IS NULL AND version = " +
                    std::to_string(version)) == std::to_string(kCount) &&
         home.state("SELECT count(*) FROM secret_use WHERE until_ms IS NULL") ==
             std::to_string(kCount) &&
         home.state("SELECT count(*) FROM delivery WHERE signals <> '[]'") == "0" &&
         home.state("SELECT state FROM status WHERE kind = 'job' AND name = 'app'") == "converged";
}

Samples rotate(SecretHome& home, int version) {
  Samples samples;
  home.put("db/prod", "version-" + std::to_string(version));
  const auto until = std::chrono::steady_clock::now() + kRotationMax;
  while (!is_over(home, version)) {
    require(std::chrono::steady_clock::now() < until, "it does not end\n" + home.story());
    take_sample(home, samples);
    std::this_thread::sleep_for(kSamplePause);
  }
  take_sample(home, samples);
  return samples;
}

int start_ten(SecretHome& home, const std::string& on_change) {
  const int port = port_free_a_moment_ago();
  home.put("db/prod", "version-1");
  home.accept("BEGIN;" +
              insert_routed_job("app", port,
                                {{"count", std::to_string(kCount)},
                                 {"max_parallel", std::to_string(kMaxParallel)},
                                 {"min_healthy_ms", std::to_string(kMinHealthyMs)},
                                 {"update_order", "'stop_first'"}}) +
              insert_secret("app", on_change) + "COMMIT;");
  home.await_converged("app");
  home.await("SELECT state FROM status WHERE kind = 'route'", "converged");
  return port;
}

void expect_good(const std::string& what, const Samples& samples, const HttpLoad& load, int least) {
  fmt::print(stderr,
             "rotation by {}: {} requests, {} failed; {} samples, {} exact comparisons with the "
             "ledger; of {} at least {} healthy, {} ready\n",
             what, load.requests(), load.failed(), samples.count, samples.exact, kCount,
             samples.healthy_min, samples.ready_min);
  cr_expect_eq(load.failed(), 0, "%ld failed: %s", load.failed(), load.first_failure().c_str());
  cr_expect_gt(load.requests(), 100);
  cr_expect(samples.wrong.empty(), "%s", samples.wrong.c_str());
  cr_expect_gt(samples.exact, 5 * kCount);
  cr_expect_geq(samples.healthy_min, least, "%d were healthy", samples.healthy_min);
  cr_expect_geq(samples.ready_min, least, "%d were ready", samples.ready_min);
}

}  // namespace

Test(live_rowlock_secret, a_rotation_by_restart_fails_no_request, .timeout = 600) {
  SecretHome home;
  const int port = start_ten(home, "restart");

  HttpLoad load("127.0.0.1", port, "site.example.org", 4);
  const Samples samples = rotate(home, 2);
  load.stop();

  expect_good("restart", samples, load, kCount - kMaxParallel);
}

Test(live_rowlock_secret, a_rotation_by_signal_fails_no_request_and_replaces_nobody,
     .timeout = 600) {
  SecretHome home;
  const int port = start_ten(home, "signal");
  const std::string before = home.identity("app");

  HttpLoad load("127.0.0.1", port, "site.example.org", 4);
  const Samples samples = rotate(home, 2);
  load.stop();

  expect_good("signal", samples, load, kCount);
  cr_expect(home.identity("app") == before, "somebody was replaced");
  cr_expect(home.state("SELECT count(*) FROM event WHERE kind = 'delivery' AND what = "
                       "'signalled'") == std::to_string(kCount));
  // Within the time that one must stay healthy, no more than max_parallel were given the version.
  const std::string most = home.state(
      "SELECT max((SELECT count(*) FROM event AS o WHERE o.kind = 'delivery' AND o.what = "
      "'refreshed' AND o.at_ms > e.at_ms - " +
      std::to_string(kMinHealthyMs) +
      " AND o.at_ms <= e.at_ms)) FROM event AS e WHERE e.kind = 'delivery' AND e.what = "
      "'refreshed'");
  cr_expect_leq(std::atoi(most.c_str()), kMaxParallel, "%s at once", most.c_str());
  fmt::print(stderr, "given the version within {} ms: at most {}\n", kMinHealthyMs, most);
}
