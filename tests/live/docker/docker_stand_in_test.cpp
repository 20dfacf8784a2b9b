// The Docker adapter against engines that misbehave: stand-ins, since a real one cannot be told to
// hang.
#include "controller/adapters/docker/docker.h"

#include <criterion/criterion.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace rowlock;

namespace {

constexpr char kPong[] = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK";

// An engine's socket with a script behind it: what to send for a request, after which the
// connection is closed. An empty answer means silence until the stand-in goes away.
class StandIn {
 public:
  using Script = std::function<std::string(const std::string& request)>;

  explicit StandIn(Script script) : script_(std::move(script)) {
    cr_assert(::mkdtemp(folder_) != nullptr);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    cr_assert(::listen(listener_, 8) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~StandIn() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    for (const int silent : silent_) ::close(silent);
    ::close(listener_);
    ::unlink(path().c_str());
    ::rmdir(folder_);
  }
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;

  std::string endpoint() const { return "unix://" + path(); }

 private:
  std::string path() const { return std::string(folder_) + "/docker.sock"; }

  void serve() {
    while (true) {
      const int connection = ::accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      char buffer[8192];
      const ssize_t count = ::recv(connection, buffer, sizeof buffer, 0);
      const std::string answer =
          script_(std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(count, 0))));
      if (answer.empty()) {
        silent_.push_back(connection);
        continue;
      }
      (void)!::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(connection);
    }
  }

  Script script_;
  char folder_[32] = "/tmp/rowlock-stand-in-XXXXXX";
  int listener_ = -1;
  std::vector<int> silent_;
  std::thread thread_;
};

// Answers the question for the version, and everything else with `answer`.
StandIn::Script after_ping(const std::string& answer) {
  return [answer](const std::string& request) {
    return request.find("/_ping") != std::string::npos ? std::string(kPong) : answer;
  };
}

DockerDeadlines short_deadlines() {
  DockerDeadlines deadlines;
  deadlines.look_ms = 200;
  deadlines.change_ms = 200;
  deadlines.pull_ms = 400;
  deadlines.stop_margin_ms = 200;
  return deadlines;
}

ContainerSpec web() {
  ContainerSpec spec;
  spec.name = "web-1";
  spec.home = "home";
  spec.image = "web:1";
  return spec;
}

}  // namespace

Test(live_docker_stand_in, a_hung_engine_meets_the_deadline_of_every_call, .timeout = 30) {
  const StandIn silent_at_once([](const std::string&) { return std::string(); });
  const StandIn silent_after_ping(after_ping(""));
  for (const StandIn* engine : {&silent_at_once, &silent_after_ping}) {
    DockerRuntime runtime(engine->endpoint(), short_deadlines());
    const std::pair<const char*, std::function<bool()>> calls[] = {
        {"facts", [&] { return runtime.facts().error().cause == Cause::deadline; }},
        {"list", [&] { return runtime.list().error().cause == Cause::deadline; }},
        {"inspect", [&] { return runtime.inspect("web-1").error().cause == Cause::deadline; }},
        {"pull", [&] { return runtime.pull("web:1", {}).error().cause == Cause::deadline; }},
        {"create", [&] { return runtime.create(web()).error().cause == Cause::deadline; }},
        {"start", [&] { return runtime.start("web-1").error().cause == Cause::deadline; }},
        {"stop",
         [&] { return runtime.stop("web-1", "SIGTERM", 100).error().cause == Cause::deadline; }},
        {"resume", [&] { return runtime.resume("web-1").error().cause == Cause::deadline; }},
        {"remove", [&] { return runtime.remove("web-1").error().cause == Cause::deadline; }},
        {"log_tail", [&] { return runtime.log_tail("web-1", 5).error().cause == Cause::deadline; }},
        {"exec",  // The command never began: nothing is known about it.
         [&] { return runtime.exec("web-1", {"true"}, 100).error().cause == Cause::unreachable; }},
    };
    for (const auto& [name, met] : calls) {
      const auto begun = std::chrono::steady_clock::now();
      cr_expect(met(), "%s", name);
      cr_expect(std::chrono::steady_clock::now() - begun < std::chrono::seconds(2),
                "%s took too long", name);
    }
  }
}

Test(live_docker_stand_in, an_engine_that_is_not_there_is_unreachable) {
  for (const char* endpoint : {"unix:///no/such/docker.sock", "tcp://127.0.0.1:1"}) {
    DockerRuntime runtime(endpoint);
    const Result<std::vector<Container>> listed = runtime.list();

    cr_assert(!listed.ok());
    cr_expect(listed.error().cause == Cause::unreachable &&
              listed.error().fault == Fault::transient);
    cr_expect(
        listed.error().message.find(std::string("list containers: the engine at ") + endpoint) == 0,
        "%s", listed.error().message.c_str());
    cr_expect(!listed.error().hint.empty());
  }
}

Test(live_docker_stand_in, an_address_that_is_none_is_rejected) {
  DockerRuntime runtime("ssh://somewhere");

  cr_expect(runtime.list().error().fault == Fault::rejected);
}

Test(live_docker_stand_in, broken_answers_are_transient_and_never_an_empty_list, .timeout = 30) {
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
  const std::pair<const char*, std::string> answers[] = {
      {"no HTTP at all", "SSH-2.0-OpenSSH_9.2\r\n"},
      {"500",
       "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 18\r\n\r\n{\"message\":\"oops\"}"},
      {"503 in HTML", "HTTP/1.1 503 Unavailable\r\nContent-Length: 14\r\n\r\n<html></html>\n"},
      {"cut off by length", ok + "Content-Length: 1000\r\n\r\n[{\"Id\":\"a\"},"},
      {"cut off in a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n100\r\n[{\"Id\":"},
      {"cut off at a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n"},
      {"not JSON", ok + "Content-Length: 5\r\n\r\nhello"},
      {"not a list", ok + "Content-Length: 2\r\n\r\n{}"},
      {"half a header", "HTTP/1.1 200 O"},
  };
  for (const auto& [what, answer] : answers) {
    const StandIn engine(after_ping(answer));
    DockerRuntime runtime(engine.endpoint(), short_deadlines());
    const Result<std::vector<Container>> listed = runtime.list();
    cr_assert(!listed.ok(), "%s was taken for a list", what);
    cr_expect(listed.error().fault == Fault::transient, "%s: %s", what,
              listed.error().message.c_str());
    cr_expect(listed.error().message.rfind("list containers: ", 0) == 0, "%s: %s", what,
              listed.error().message.c_str());
    cr_expect(!runtime.inspect("web-1").ok(), "%s was taken for an absent container", what);
  }
}

Test(live_docker_stand_in, what_pings_without_a_version_is_no_engine) {
  const StandIn web_server([](const std::string&) {
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  });
  DockerRuntime runtime(web_server.endpoint(), short_deadlines());

  cr_expect(runtime.list().error().message.find("does not answer like a container engine") !=
            std::string::npos);
}

Test(live_docker_stand_in, a_newer_engine_is_asked_in_the_version_known_here) {
  std::string asked;
  const StandIn engine([&](const std::string& request) {
    asked = request.substr(0, request.find('\r'));
    const bool ping = request.find("/_ping") != std::string::npos;
    return std::string("HTTP/1.1 200 OK\r\nApi-Version: 1.99\r\nContent-Length: 2\r\n\r\n") +
           (ping ? "OK" : "[]");
  });
  DockerRuntime runtime(engine.endpoint(), short_deadlines());

  cr_expect(runtime.list().ok());
  cr_expect(asked == "GET /v1.44/containers/json?all=1 HTTP/1.1", "%s", asked.c_str());
}

Test(live_docker_stand_in, a_pull_that_fails_within_its_stream_fails) {
  const std::pair<const char*, Fault> lines[] = {
      {"manifest for registry/web:9 not found: manifest unknown: manifest unknown",
       Fault::rejected},
      {"pull access denied for web, repository does not exist or may require 'docker login'",
       Fault::rejected},
      {"no matching manifest for linux/s390x in the manifest list entries", Fault::rejected},
      {"toomanyrequests: You have reached your pull rate limit", Fault::transient},
      {"write /var/lib/docker/x: no space left on device", Fault::broken},
      {"unexpected EOF", Fault::transient},
  };
  for (const auto& [line, fault] : lines) {
    const std::string body =
        std::string("{\"status\":\"Pulling\"}\r\n{\"errorDetail\":{\"message\":\"") + line +
        "\"},\"error\":\"" + line + "\"}\r\n";
    const StandIn engine(after_ping(
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body));
    DockerRuntime runtime(engine.endpoint(), short_deadlines());
    const Result<> pulled = runtime.pull("registry/web:9", {});
    cr_assert(!pulled.ok(), "%s", line);
    cr_expect(pulled.error().fault == fault, "%s: %s", line, pulled.error().message.c_str());
    cr_expect(pulled.error().message.rfind("pull registry/web:9: ", 0) == 0, "%s",
              pulled.error().message.c_str());
    cr_expect(fault == Fault::transient || !pulled.error().hint.empty(), "%s", line);
  }
}

Test(live_docker_stand_in, an_engine_that_ends_the_stream_ends_the_watch) {
  const StandIn engine(after_ping(
      "HTTP/1.1 200 OK\r\n\r\n{\"Actor\":{\"Attributes\":{\"name\":\"web-1\"}}}\n{\"Act"));
  DockerRuntime runtime(engine.endpoint(), short_deadlines());
  std::vector<std::string> told;
  const std::atomic<bool> stop = false;

  const Result<> watched =
      runtime.watch("home", stop, [&](const std::string& name) { told.push_back(name); });

  cr_expect(!watched.ok());
  cr_expect(told == std::vector<std::string>{"web-1"});
}
