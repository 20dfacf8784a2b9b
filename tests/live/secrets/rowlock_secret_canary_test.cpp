// Canaries through all that Rowlock does with a secret, and then a look everywhere: they are in
// their instances' folders in memory, in the workloads, sealed in state.db, and nowhere else.
#include "controller/adapters/docker/docker_engine.h"
#include "tests/live/secrets/canaries.h"
#include "tests/live/secrets/secret_home.h"
#include "tests/soak.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

using namespace rowlock;
using namespace rowlock_live;

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kEngineMs = 60'000;

// How many versions go through.
int deploys() { return soaked(10, 100); }

// What was looked at and holds a canary; asserted once, in the end.
class Findings {
 public:
  explicit Findings(const Canaries& canaries) : canaries_(canaries) {}
  void look_at(const std::string& what, std::string_view text) {
    add(what, canaries_.found_in(text));
  }
  void add(const std::string& what, const std::string& found) {
    if (!found.empty()) all_ += what + ": " + found + "\n";
  }
  const std::string& all() const { return all_; }

 private:
  const Canaries& canaries_;
  std::string all_;
};

// Taken as it comes, since an image is more than an answer may hold. False: it is gone, as the
// container of a program that never starts is soon after it was listed.
bool look_at_engine(const std::string& path, Findings& findings) {
  DockerEngine engine(engine_endpoint(), kEngineMs);
  DockerRequest request;
  request.path = path;
  request.deadline_ms = kEngineMs;
  std::string body;
  request.on_bytes = [&body](std::string_view bytes) { body += bytes; };
  const auto answer = engine.call("read " + path, request);
  if (!answer.ok() && answer.error().cause == Cause::not_found) return false;
  require(answer.ok() && !body.empty(),
          "GET " + path + ": " + (answer.ok() ? "nothing in it" : answer.error().message));
  findings.look_at("engine " + path, body);
  return true;
}

void look_at_containers(SecretHome& home, Findings& findings) {
  for (const Container& container : home.containers()) {
    const auto text = home.inspect(container.name).text();  // One that has just gone is a 404.
    findings.look_at("inspect " + container.name, text);
  }
}

// What the engine keeps on its disk for each container: settings, mounts, logs, layers.
void look_at_engine_disk(SecretHome& home, const Canaries& canaries, Findings& findings) {
  DockerEngine engine(engine_endpoint(), kEngineMs);
  DockerRequest request;
  request.path = "/info";
  request.deadline_ms = kEngineMs;
  const auto answer = engine.call("info", request);
  require(answer.ok(), "GET /info");
  const std::string root = Json::parse(answer.value().body).value()["DockerRootDir"].as_string();
  int exported = 0;
  for (const Container& container : home.containers()) {
    exported += look_at_engine("/containers/" + container.name + "/export", findings) ? 1 : 0;
    const std::string folder = root + "/containers/" + container.id;
    if (fs::exists(folder)) findings.add("engine's disk", files_that_hold(canaries, folder));
  }
  cr_expect(exported >= 3, "only %d of the running containers were looked at", exported);
  cr_expect(look_at_engine(std::string("/images/") + kImage + "/get", findings));
}

// Every verb that tells something, and what the socket says without being asked for a value.
void look_at_words(SecretHome& home, Findings& findings) {
  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"status", "--json"},
                                             {"why", "app"},
                                             {"why", "bad"},
                                             {"events", "--limit", "1000"},
                                             {"doctor"},
                                             {"plan"},
                                             {"export"},
                                             {"audit", "--limit", "1000"},
                                             {"audit", "verify"},
                                             {"secret", "status"},
                                             {"secret", "list", "db"},
                                             {"secret", "versions", "db/prod"},
                                             {"secret", "metadata", "db/prod"},
                                             {"sql", "SELECT * FROM event"}}) {
    findings.look_at("rowlock " + verb[0] + " " + verb.back(), home.verb(verb));
  }
  const Answer metrics = home.ask("GET", "/metrics");
  require(metrics.status == 200, "GET /metrics: " + std::to_string(metrics.status));
  findings.look_at("/metrics", metrics.body);
}

// Values in requests that are refused: they must not come back, nor stand in a log.
void look_at_refusals(SecretHome& home, Canaries& canaries, Findings& findings) {
  const std::string path = "/v1/secret/data/db/prod";
  const auto refused = [&](int status, const std::string& body, const std::string& token) {
    const Answer answer = home.ask("POST", path, body, token);
    require(answer.status == status, body.substr(0, 30) + " is answered with " +
                                         std::to_string(answer.status) + ": " + answer.body);
    findings.look_at("a refusal", answer.body);
  };
  refused(400, R"({"data": {"password": ")" + canaries.next() + R"(",)", "");
  refused(400, R"({"data": ")" + canaries.next() + R"("})", "");
  refused(400, R"({"options": {"cas": 1}, "data": {"password": ")" + canaries.next() + R"("}})",
          "");
  refused(403, R"({"data": {"password": ")" + canaries.next() + R"("}})", canaries.next());
}

// One version after the other, and a controller that is killed at many moments. The second half
// goes through one process, whose memory is looked at afterwards.
std::string send_through(SecretHome& home, Canaries& canaries, Findings& findings) {
  std::string value;
  for (int i = 0; i < deploys(); ++i) {
    value = canaries.next();
    home.put("db/prod", value);
    if (i % 2 == 1 && i < deploys() / 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(60 * i % 1500));
      home.restart_open();
    }
    home.await(
        "SELECT count(*) FROM secret_use AS u JOIN instance AS i ON i.id = u.instance "
        "WHERE u.job IN ('app', 'told') AND u.until_ms IS NULL AND i.run = 1 "
        "AND i.container = 'running' AND u.version = (SELECT current_version FROM secret "
        "WHERE path = 'db/prod')",
        "3");
    home.await_converged("app");
    home.await_converged("told");
    look_at_containers(home, findings);
  }
  return value;
}

// Two instances with all three ways of delivery, one that is signalled, one that never starts.
std::string insert_jobs() {
  return "BEGIN;" + insert_job("app", {{"count", "2"}}) + insert_secret("app") +
         "INSERT INTO job_secret (job, path, key, \"as\", name) VALUES ('app', 'db/prod', "
         "'password', 'env', 'PW');"
         "INSERT INTO job_template (job, name, text) VALUES ('app', 'conf', 'p={{ secret "
         "\"db/prod\" \"password\" }}');" +
         insert_job("told") + insert_secret("told", "signal") +
         insert_job("bad", {{"command", R"('["no-such-program"]')"}}) + insert_secret("bad") +
         "INSERT INTO job_secret (job, path, key, \"as\", name) VALUES ('bad', 'db/prod', "
         "'password', 'env', 'PW'); COMMIT;";
}

// That the search finds what is there: otherwise finding nothing says nothing.
void expect_search_finds(SecretHome& home, const Canaries& canaries, const std::string& value) {
  const std::string instance =
      home.state("SELECT min(name) FROM instance WHERE run = 1 AND job = 'app'");
  cr_expect(home.held(instance, "pw") == value);
  cr_expect(home.held(instance, "conf") == "p=" + value);
  cr_expect(!files_that_hold(canaries, home.memory()).empty(), "the search of files is blind");
  cr_expect(!processes_that_show(canaries, true).empty(), "the search of processes is blind");
  const auto pid = static_cast<pid_t>(home.inspect(instance)["State"]["Pid"].as_integer());
  cr_expect(!memory_that_holds(canaries, pid).empty(), "the search of memory is blind");
}

}  // namespace

Test(live_rowlock_secret, a_canary_is_in_its_instances_folder_and_nowhere_else, .timeout = 1800) {
  Canaries canaries;
  SecretHome home;
  Findings findings(canaries);
  ProcessWatch watch(canaries);
  home.put("db/prod", canaries.next());
  home.accept(insert_jobs());
  home.await_converged("app");

  const std::string value = send_through(home, canaries, findings);
  look_at_refusals(home, canaries, findings);
  look_at_words(home, findings);
  expect_search_finds(home, canaries, value);
  look_at_engine_disk(home, canaries, findings);
  findings.add("the home", files_that_hold(canaries, home.folder()));
  findings.add("a process", processes_that_show(canaries, false));
  findings.add("memory while open", memory_that_holds(canaries, home.process()));
  if (cores_can_be_made()) {
    findings.add("core", core_that_holds(canaries, home.process(), home.folder() + ".core"));
  }
  home.must({"secret", "seal"});
  home.await("SELECT state FROM seal", "sealed");
  findings.add("memory while sealed", memory_that_holds(canaries, home.process()));

  home.unseal();
  home.accept_deletion("DELETE FROM job", "job", 3);
  home.await("SELECT count(*) FROM delivery", "0");
  home.await("SELECT count(*) FROM secret_use WHERE until_ms IS NULL", "0");
  cr_expect(!fs::exists(home.memory()) || fs::is_empty(home.memory()), "left in %s",
            home.memory().c_str());
  findings.add("a process for a moment", watch.finish());
  cr_expect(findings.all().empty(), "%s", findings.all().c_str());
  fmt::print(stderr, "canaries: {} deploys, {} looks at all processes\n", deploys(), watch.looks());
}
