// The Engine API, as plainly as it can be called.
#include "tests/bench/bare_engine.h"

#include "controller/base/percent.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace rowlock::bench {

namespace {

constexpr std::int64_t kDeadlineMs = 60000;

}  // namespace

void give_up(const std::string& sentence) {
  std::fprintf(stderr, "bench: %s\n", sentence.c_str());
  std::exit(1);
}

DockerAnswer BareEngine::call(const std::string& method, const std::string& path,
                              const std::string& body) {
  DockerRequest request;
  request.method = method;
  request.path = path;
  request.body = body;
  request.deadline_ms = kDeadlineMs;
  if (!body.empty()) {
    request.headers.push_back("Content-Type: application/json");
  }
  auto answer = http_.send(request);
  if (!answer.ok()) {
    give_up(answer.error().message);
  }
  if (answer.value().status >= 400) {
    give_up(fmt::format("{} {}: {}", method, path, answer.value().body));
  }
  return answer.value();
}

void BareEngine::create_and_start(const std::string& name, bool restart_always) {
  const std::string body = fmt::format(
      R"({{"Image":"{}","Cmd":["sleep","3600"],)"
      R"("HostConfig":{{"NetworkMode":"host","CapDrop":["ALL"],)"
      R"("SecurityOpt":["no-new-privileges"],"PidsLimit":1024,"RestartPolicy":{{"Name":"{}"}}}}}})",
      kImage, restart_always ? "always" : "no");
  call("POST", "/containers/create?name=" + name, body);
  call("POST", "/containers/" + name + "/start");
}

// By its process, as the world would: a container killed through the engine is not restarted by it.
void BareEngine::kill(const std::string& name) {
  const auto process =
      static_cast<pid_t>(get("/containers/" + name + "/json")["State"]["Pid"].as_integer());
  if (process <= 1 || ::kill(process, SIGKILL) != 0) {
    give_up("no process to kill in " + name);
  }
}

void BareEngine::await_exit(const std::string& name) {
  call("POST", "/containers/" + name + "/wait?condition=not-running");
}

void BareEngine::remove(const std::string& name) {
  call("DELETE", "/containers/" + name + "?force=1");
}

Json BareEngine::get(const std::string& path) {
  auto parsed = Json::parse(call("GET", path).body);
  if (!parsed.ok()) {
    give_up(parsed.error().message);
  }
  return parsed.value();
}

StartEvents::StartEvents(std::string endpoint)
    : http_(std::move(endpoint)), thread_([this] { listen(); }) {}

StartEvents::~StartEvents() {
  stop_ = true;
  thread_.join();
}

void StartEvents::listen() {
  std::string rest;
  DockerRequest request;
  request.path =
      "/events?filters=" + percent_encoded(R"({"type":["container"],"event":["start"]})");
  request.stop = &stop_;
  request.on_bytes = [&](std::string_view bytes) {
    rest += bytes;
    for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
      hear(rest.substr(0, end));
      rest.erase(0, end + 1);
    }
  };
  auto ended = http_.send(request);
  if (!ended.ok()) {
    give_up("the engine's events: " + ended.error().message);
  }
}

void StartEvents::hear(const std::string& line) {
  const Moment at = now();
  const auto event = Json::parse(line);
  const std::lock_guard lock(mutex_);
  starts_.push_back(
      {event.ok() ? event.value()["Actor"]["Attributes"]["name"].as_string() : "", at});
  heard_.notify_all();
}

Moment StartEvents::await(const std::string& prefix, std::size_t count, Moment since) {
  std::unique_lock lock(mutex_);
  Moment last{};
  const bool came = heard_.wait_for(lock, std::chrono::minutes(1), [&] {
    std::size_t found = 0;
    for (const Start& start : starts_) {
      if (start.at >= since && start.name.starts_with(prefix)) {
        ++found;
        last = start.at;
      }
    }
    return found >= count;
  });
  if (!came) {
    give_up("no start of " + prefix + " within a minute");
  }
  return last;
}

}  // namespace rowlock::bench
