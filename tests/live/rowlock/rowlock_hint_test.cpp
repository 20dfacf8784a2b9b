// A hint is tried: whoever does on the node what a refusal says gets what was wanted, at once with
// `rowlock retry`, and without it a little later.
#include "controller/adapters/docker/docker_engine.h"
#include "tests/live/rowlock/rowlock_home.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <unistd.h>

using namespace rowlock;
using namespace rowlock_live;

namespace {

Result<DockerAnswer> ask_engine(const std::string& method, const std::string& path,
                                const std::string& body = "") {
  DockerRequest request;
  request.method = method;
  request.path = path;
  request.body = body;
  request.deadline_ms = 30'000;
  return DockerEngine(engine_endpoint(), request.deadline_ms).call(method + path, request, {404});
}

// What the jobs ask for, and nobody has made yet. Goes away after the home that uses it.
struct World {
  std::string name = fmt::format("rowlock-hint-{}", ::getpid());
  std::string folder = "/tmp/" + name;

  World() = default;
  ~World() {
    (void)ask_engine("DELETE", "/networks/" + name).ok();
    (void)ask_engine("DELETE", "/images/" + name + ":1?force=1").ok();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void make() const {
    require(std::filesystem::create_directory(folder), "make the folder");
    require(ask_engine("POST", "/networks/create", "{\"Name\":\"" + name + "\"}").ok(),
            "make the network");
    require(ask_engine("POST", "/images/" + std::string(kImage) + "/tag?tag=1&repo=" + name).ok(),
            "tag the image");
  }
};

}  // namespace

Test(live_rowlock_hint, whoever_follows_one_gets_what_was_wanted, .timeout = 400) {
  const World world;
  LiveHome home;
  home.start_and_reach();
  home.accept("BEGIN;" + insert_job("folder") +
              insert_row("job_mount", {{"job", "'folder'"},
                                       {"path", "'/data'"},
                                       {"type", "'bind'"},
                                       {"source", "'" + world.folder + "'"}}) +
              insert_job("network", {{"network", "'" + world.name + "'"}}) +
              insert_job("image", {{"image", "'" + world.name + ":1'"}, {"pull", "'never'"}}) +
              insert_job("patient", {{"network", "'" + world.name + "'"}}) + "COMMIT;");
  for (const auto& [job, hint] :
       std::map<std::string, std::string>{{"folder", "create the folder on the node"},
                                          {"network", "create the network on the node"},
                                          {"image", "bring it there (docker load)"},
                                          {"patient", "create the network on the node"}}) {
    home.await("SELECT state FROM status WHERE kind = 'job' AND name = '" + job + "'", "failed");
    const std::string detail =
        home.state("SELECT detail FROM status WHERE kind = 'job' AND name = '" + job + "'");
    cr_expect(detail.find(hint) != std::string::npos, "%s: %s", job.c_str(), detail.c_str());
    cr_expect(detail.find(" UTC, or at once with: rowlock retry " + job) != std::string::npos,
              "%s: %s", job.c_str(), detail.c_str());
  }

  world.make();
  for (const char* job : {"folder", "network", "image"}) {
    int code = -1;
    const std::string said = home.verb({"retry", job}, &code);
    cr_expect(code == 0 && said.find("place") != std::string::npos, "%s", said.c_str());
    home.await_converged(job);
  }
  home.await("SELECT state FROM status WHERE kind = 'job' AND name = 'patient'", "converged", 150);
}
