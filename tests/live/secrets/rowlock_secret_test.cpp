// Secrets with everything real: containers, folders in memory, a store that is opened and sealed.
#include "controller/adapters/docker/docker_engine.h"
#include "tests/live/secrets/secret_home.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#include <unistd.h>

using namespace rowlock;
using namespace rowlock_live;

namespace {

namespace fs = std::filesystem;

constexpr int kStarts = 6;
constexpr long kFirstReadMaxMs = 10'000;
constexpr std::int64_t kEngineMs = 30'000;
constexpr auto kLongEnough = std::chrono::milliseconds(1500);

Result<DockerAnswer> ask_engine_with(const std::string& method, const std::string& path,
                                     const std::string& body = "") {
  DockerEngine engine(engine_endpoint(), kEngineMs);
  DockerRequest request;
  request.method = method;
  request.path = path;
  request.body = body;
  request.deadline_ms = kEngineMs;
  return engine.call(method + " " + path, request);
}

// The test's image with an entrypoint and a command of its own. Goes away with this; the
// containers made of it must have gone before.
class OwnProgram {
 public:
  OwnProgram(const std::string& entrypoint, const std::string& command) {
    require(ask_engine_with("POST", "/containers/create?name=" + repository_,
                            std::string(R"({"Image":")") + kImage + R"("})")
                .ok(),
            "create");
    const bool is_made =
        ask_engine_with("POST",
                        "/commit?container=" + repository_ + "&repo=" + repository_ + "&tag=1",
                        R"({"Entrypoint":)" + entrypoint + R"(,"Cmd":)" + command + "}")
            .ok();
    require(ask_engine_with("DELETE", "/containers/" + repository_).ok() && is_made, "commit");
  }
  ~OwnProgram() { (void)ask_engine_with("DELETE", "/images/" + name()).ok(); }
  OwnProgram(const OwnProgram&) = delete;
  OwnProgram& operator=(const OwnProgram&) = delete;

  std::string name() const { return repository_ + ":1"; }

 private:
  const std::string repository_ = "rowlock-live-own-" + std::to_string(::getpid());
};

std::string instance_of(const SecretHome& home, const std::string& job) {
  return home.state("SELECT min(name) FROM instance WHERE run = 1 AND job = '" + job + "'");
}

std::string inside(SecretHome& home, const std::string& instance, const std::string& script) {
  const auto ran = home.runtime().exec(instance, {"sh", "-c", script}, kEngineMs);
  require(ran.ok(), ran.ok() ? "" : ran.error().message);
  return ran.value().output;
}

std::string words_of(std::string text) {
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

}  // namespace

Test(live_rowlock_secret, a_start_with_a_key_file_reads_at_once, .timeout = 200) {
  SecretHome home;
  home.put("db/prod", "s3cret");

  std::string told;
  long slowest_ms = 0;
  for (int i = 0; i < kStarts; ++i) {
    i % 2 == 0 ? home.kill() : static_cast<void>(home.stop());
    const long took_ms = home.start_and_read("db/prod");
    slowest_ms = std::max(slowest_ms, took_ms);
    told += fmt::format(" {}", took_ms);
  }

  fmt::print(stderr, "first read after the start, ms:{}\n", told);
  cr_expect_lt(slowest_ms, kFirstReadMaxMs);
}

Test(live_rowlock_secret, a_sealed_start_keeps_what_runs_and_holds_back_what_needs_a_secret,
     .timeout = 200) {
  SecretHome home;
  home.put("db/prod", "s3cret");
  home.accept("BEGIN;" + insert_job("app") + insert_secret("app") + "COMMIT;");
  home.await_converged("app");
  const std::string runs = home.identity("app");
  const std::string first = instance_of(home, "app");

  home.restart_sealed();
  home.await("SELECT detail FROM status WHERE name = 'secrets'", "sealed: rowlock secret unseal");
  cr_expect(home.verb({"status"}).find("sealed") != std::string::npos);
  cr_expect_eq(home.ask("GET", "/v1/secret/data/db/prod").status, 503);
  home.accept(
      "UPDATE job SET count = 2; INSERT INTO job (name, image, command, min_healthy_ms) "
      "SELECT 'plain', image, command, 0 FROM job");
  home.await_why("app", "the secret store is sealed");
  home.await_converged("plain");
  cr_expect(home.verb({"why", "app"}).find("rowlock secret unseal") != std::string::npos);
  cr_expect(home.identity("app") == runs);
  cr_expect_eq(home.running("app").size(), 1);
  cr_expect(home.held(first, "pw") == "s3cret", "what runs keeps its folder");

  home.unseal();
  home.await_converged("app");
  cr_expect_eq(home.running("app").size(), 2);
  cr_expect(home.identity("app").find(runs.substr(0, runs.size() - 1)) != std::string::npos,
            "the first one was replaced");
}

Test(live_rowlock_secret, environment_is_the_programs_own_and_the_images_program_stays,
     .timeout = 200) {
  const OwnProgram image(R"(["/bin/sh","-c"])", R"(["trap 'exit 0' TERM; sleep 1000 & wait"])");
  SecretHome home;
  home.put("db/prod", "s3cret-of-the-environment");
  home.accept("BEGIN;" +
              insert_job("app", {{"image", "'" + image.name() + "'"}, {"command", "NULL"}}) +
              insert_policy("app") +
              "INSERT INTO job_secret (job, path, key, \"as\", name) VALUES ('app', 'db/prod', "
              "'password', 'env', 'PW'); COMMIT;");
  home.await_converged("app");

  const std::string instance = instance_of(home, "app");
  const Json inspected = home.inspect(instance);
  const std::string process = "/proc/" + std::to_string(inspected["State"]["Pid"].as_integer());
  const std::string arguments = words_of(file_text(process + "/cmdline"));
  cr_expect(arguments == "/bin/sh -c trap 'exit 0' TERM; sleep 1000 & wait ", "%s",
            arguments.c_str());
  cr_expect(
      (" " + words_of(file_text(process + "/environ"))).find(" PW=s3cret-of-the-environment ") !=
      std::string::npos);
  cr_expect(inspected.text().find("s3cret-of-the-environment") == std::string::npos);
  cr_expect(inspected["Path"].as_string() == "/run/rowlock-launch", "%s",
            inspected["Path"].as_string().c_str());
  cr_expect(inside(home, instance, "echo \"[$PW]\"") == "[]\n", "of a command beside it, neither");

  home.accept_deletion("DELETE FROM job", "job", 1);
  home.await("SELECT count(*) FROM instance WHERE run = 1 OR container <> 'gone'", "0");
}

Test(live_rowlock_secret, a_signal_comes_after_the_file_it_tells_of, .timeout = 200) {
  SecretHome home;
  home.put("db/prod", "version-1");
  home.accept(
      "BEGIN;" +
      insert_job("app", {{"command", R"('["sh","-c","trap \"cat /run/secrets/pw >>/tmp/seen;)"
                                     R"( echo >>/tmp/seen\" HUP; while :; do sleep 0.1; )"
                                     R"(done"]')"}}) +
      insert_secret("app", "signal") + "COMMIT;");
  home.await_converged("app");
  const std::string runs = home.identity("app");

  std::string expected;
  for (int version = 2; version <= 4; ++version) {
    home.put("db/prod", "version-" + std::to_string(version));
    expected += "version-" + std::to_string(version) + "\n";
    await_answer(
        "the program read the new file",
        [&] { return inside(home, instance_of(home, "app"), "cat /tmp/seen"); }, expected,
        [&] { return home.story(); });
  }

  cr_expect(home.identity("app") == runs, "nothing was replaced");
}

Test(live_rowlock_secret, a_job_that_may_not_read_its_secret_never_starts, .timeout = 200) {
  SecretHome home;
  home.put("db/prod", "s3cret");
  home.accept("BEGIN;" + insert_job("app") +
              "INSERT INTO job_secret (job, path, key, name) VALUES ('app', 'db/prod', 'password', "
              "'pw'); COMMIT;");
  const std::string rows =
      "INSERT INTO policy (name, path) VALUES ('app', 'db/prod'); "
      "INSERT INTO job_policy (job, policy) VALUES ('app', 'app')";
  home.await_why("app", rows);
  cr_expect(home.verb({"why", "app"}).find(rows) != std::string::npos);
  std::this_thread::sleep_for(kLongEnough);
  cr_expect_eq(home.containers("app").size(), 0);
  cr_expect(!fs::exists(home.memory()) || fs::is_empty(home.memory()));
  cr_expect(home.state("SELECT count(*) FROM secret_use") == "0");

  home.accept(rows);  // As it was told.
  home.await_converged("app");
  cr_expect(home.held(instance_of(home, "app"), "pw") == "s3cret");
}

Test(live_rowlock_secret, a_version_in_use_is_not_destroyed_and_says_whose_it_is, .timeout = 200) {
  SecretHome home;
  home.put("db/prod", "version-1");
  home.accept("BEGIN;" + insert_job("app") + insert_secret("app") + "COMMIT;");
  home.await_converged("app");
  const std::vector<std::string> destroy = {"secret", "destroy", "db/prod", "--version", "1", "-y"};

  int code = 0;
  const std::string told = home.verb(destroy, &code);
  cr_expect(code != 0 && told.find(instance_of(home, "app") + " (version 1)") != std::string::npos,
            "%d: %s", code, told.c_str());

  home.put("db/prod", "version-2");
  home.await("SELECT count(*) FROM secret_use WHERE version = 1 AND until_ms IS NULL", "0");
  home.must(destroy);
  home.await_converged("app");
  cr_expect(home.held(instance_of(home, "app"), "pw") == "version-2");
  home.must({"audit", "verify"});
}

Test(live_rowlock_secret, a_deleted_job_leaves_no_folder_and_no_open_entry, .timeout = 200) {
  SecretHome home;
  home.put("db/prod", "s3cret");
  home.accept("BEGIN;" + insert_job("app", {{"count", "3"}}) + insert_secret("app") +
              insert_job("stays") + insert_secret("stays") + "COMMIT;");
  home.await_converged("app");
  home.await_converged("stays");

  home.accept_deletion("DELETE FROM job WHERE name = 'app'", "job", 1);
  home.await("SELECT count(*) FROM secret_use WHERE job = 'app' AND until_ms IS NULL", "0");
  home.await("SELECT count(*) FROM delivery WHERE job = 'app'", "0");

  std::string left;
  for (const auto& folder : fs::directory_iterator(home.memory()))
    left += folder.path().filename().string() + "\n";
  cr_expect(left == instance_of(home, "stays") + "\n", "%s", left.c_str());
  cr_expect(
      home.state("SELECT count(*) FROM secret_use WHERE job = 'app' AND until_ms >= since_ms") ==
      "3");
}
