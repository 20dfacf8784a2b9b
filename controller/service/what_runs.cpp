// One list of each engine, counted by the label that says whose a container is.
#include "controller/service/what_runs.h"

#include "controller/adapters/docker/docker.h"

#include <fmt/format.h>

#include <map>
#include <set>

namespace rowlock {
namespace {

constexpr std::int64_t kEngineDeadlineMs = 3000;

std::set<std::string> endpoints_of(const Home& home) {
  std::set<std::string> endpoints;
  auto opened = Database::open(home.desired_path(), Database::Mode::read_only);
  if (opened.ok()) {
    auto nodes = std::move(opened).value().query("SELECT endpoint FROM node");
    for (const Row& node : nodes.ok() ? nodes.value() : std::vector<Row>{}) {
      const std::string endpoint = node.text("endpoint");
      endpoints.insert(endpoint.empty() ? default_docker_endpoint() : endpoint);
    }
  }
  if (endpoints.empty()) {
    endpoints.insert(default_docker_endpoint());
  }
  return endpoints;
}

std::string what_runs_on(const std::string& endpoint) {
  DockerDeadlines deadlines;
  deadlines.look_ms = kEngineDeadlineMs;
  DockerRuntime runtime(endpoint, deadlines);
  const auto containers = runtime.list();
  if (!containers.ok()) {
    return fmt::format("; {} does not say what it runs: {}", endpoint, containers.error().message);
  }
  std::map<std::string, int> running;
  for (const Container& container : containers.value()) {
    if (!container.home.empty() && container.state == ContainerState::running) {
      ++running[container.home];
    }
  }
  std::string said;
  for (const auto& [id, count] : running) {
    said += fmt::format("; {} runs {} container{} of home {}", endpoint, count,
                        count == 1 ? "" : "s", id);
  }
  return said.empty() ? fmt::format("; {} runs nothing of any home", endpoint) : said;
}

}  // namespace

Error with_what_runs(Error error, const Home& home) {
  if (error.cause == Cause::corrupt) {
    for (const std::string& endpoint : endpoints_of(home)) {
      error.message += what_runs_on(endpoint);
    }
  }
  return error;
}

}  // namespace rowlock
