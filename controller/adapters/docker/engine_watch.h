// Listens to the event stream of every node's engine and passes on what it hears as hints. A hint
// that is lost costs a few seconds, so nothing here is ever retried in haste.
#pragma once

#include "controller/ports/world.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace rowlock {

class EngineWatch {
 public:
  // Both are called on threads of this class's own.
  struct Hear {
    std::function<void(const std::string& node, const std::string& container)> container_changed;
    std::function<void(const std::string& node)> stream_broke;  // Anything may have happened.
  };

  EngineWatch(World& world, std::string home, Hear hear);
  ~EngineWatch();  // Takes up to a second; ten when an engine hangs.
  EngineWatch(const EngineWatch&) = delete;
  EngineWatch& operator=(const EngineWatch&) = delete;

  // Listens to these nodes and no others. Called as often as one likes.
  struct Node {
    std::string driver;
    std::string endpoint;
    bool operator==(const Node&) const = default;
  };
  void set_nodes(const std::map<std::string, Node>& nodes);

 private:
  struct Listener {
    Node node;
    std::shared_ptr<std::atomic<bool>> stop;
    std::thread thread;
  };

  void listen(const std::string& name, const Node& node, const std::atomic<bool>& stop);

  World& world_;
  std::string home_;
  Hear hear_;
  std::map<std::string, Listener> listeners_;
  std::vector<std::thread> ended_;  // Told to stop, not yet joined.
};

}  // namespace rowlock
