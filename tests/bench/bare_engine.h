// The engine without Rowlock: the fewest calls that make a container run, on a connection that is
// kept alive, and the engine's own events as the clock for both sides.
#pragma once

#include "controller/adapters/docker/docker_http.h"
#include "controller/base/json.h"
#include "tests/bench/samples.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rowlock::bench {

// The image every measured container is made from.
constexpr std::string_view kImage = "rowlock-test:1";

class BareEngine {
 public:
  explicit BareEngine(std::string endpoint) : http_(std::move(endpoint)) {}

  // Makes and starts a container that sleeps on the host network. Stops the program when the engine
  // refuses.
  void create_and_start(const std::string& name, bool restart_always = false);
  void kill(const std::string& name);
  void await_exit(const std::string& name);  // Until the engine says that it does not run.
  void remove(const std::string& name);
  Json get(const std::string& path);

 private:
  DockerAnswer call(const std::string& method, const std::string& path,
                    const std::string& body = "");
  DockerHttp http_;
};

// Hears every container start, by name.
class StartEvents {
 public:
  explicit StartEvents(std::string endpoint);
  ~StartEvents();

  // Waits until `count` starts after `since` have a name with this beginning, and returns the
  // moment of the last of them. Stops the program after a minute.
  Moment await(const std::string& prefix, std::size_t count, Moment since);

 private:
  struct Start {
    std::string name;
    Moment at;
  };
  void listen();
  void hear(const std::string& line);

  DockerHttp http_;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable heard_;
  std::vector<Start> starts_;
  std::thread thread_;
};

// Prints the sentence and ends the program.
[[noreturn]] void give_up(const std::string& sentence);

}  // namespace rowlock::bench
