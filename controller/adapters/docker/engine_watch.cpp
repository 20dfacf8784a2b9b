// One thread for each node, which listens until the stream breaks, waits a second and listens
// again. A node whose driver or endpoint has changed gets a new one.
#include "controller/adapters/docker/engine_watch.h"

#include "controller/ports/container_runtime.h"

#include <chrono>

namespace rowlock {

namespace {

constexpr int kPauseSlices = 10;  // After a broken stream, a second in slices of a tenth.
constexpr std::chrono::milliseconds kPauseSlice(100);

}  // namespace

EngineWatch::EngineWatch(World& world, std::string home, Hear hear)
    : world_(world), home_(std::move(home)), hear_(std::move(hear)) {}

EngineWatch::~EngineWatch() {
  for (auto& [name, listener] : listeners_) {
    *listener.stop = true;
  }
  for (auto& [name, listener] : listeners_) {
    listener.thread.join();
  }
  for (std::thread& thread : ended_) {
    thread.join();
  }
}

void EngineWatch::set_nodes(const std::map<std::string, Node>& nodes) {
  for (auto at = listeners_.begin(); at != listeners_.end();) {
    const auto wanted = nodes.find(at->first);
    if (wanted != nodes.end() && wanted->second == at->second.node) {
      ++at;
      continue;
    }
    *at->second.stop = true;
    ended_.push_back(
        std::move(at->second.thread));  // Ends within a second; nobody waits for that here.
    at = listeners_.erase(at);
  }
  for (const auto& [name, node] : nodes) {
    if (!listeners_.contains(name)) {
      auto stop = std::make_shared<std::atomic<bool>>(false);
      std::thread thread(
          [this, node_name = name, listened = node, stop] { listen(node_name, listened, *stop); });
      listeners_.emplace(name, Listener{node, stop, std::move(thread)});
    }
  }
}

void EngineWatch::listen(const std::string& name, const Node& node, const std::atomic<bool>& stop) {
  while (!stop) {
    // Why the stream broke is told by the next look at the node, with a deadline and a message of
    // its own.
    (void)world_.runtime(node.driver, node.endpoint)
        .watch(home_, stop,
               [&](const std::string& container) { hear_.container_changed(name, container); })
        .ok();
    if (!stop) {
      hear_.stream_broke(name);
    }
    for (int i = 0; i < kPauseSlices && !stop; ++i) {
      std::this_thread::sleep_for(kPauseSlice);
    }
  }
}

}  // namespace rowlock
