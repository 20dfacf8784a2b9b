// Waits for the end of the proxy that runs and passes it on as a hint, so that it is started again
// at once and not at the next look. A hint that is lost costs a few seconds.
#pragma once

#include "controller/ports/world.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace rowlock {

class ProxyWatch {
 public:
  // `ended` is called on a thread of this class's own.
  ProxyWatch(World& world, std::function<void()> ended);
  ~ProxyWatch();  // Takes up to a second.
  ProxyWatch(const ProxyWatch&) = delete;
  ProxyWatch& operator=(const ProxyWatch&) = delete;

  // Watches the proxy behind this socket (see World::proxy) and no other; nobody's when `is_wanted`
  // is false. Called as often as one likes.
  void set_proxy(const std::string& socket, bool is_wanted);

 private:
  struct Watch {
    std::thread thread;
    std::shared_ptr<std::atomic<bool>> has_ended;
  };

  void listen(const std::string& socket, const std::atomic<bool>& stop);

  World& world_;
  std::function<void()> ended_;
  std::string socket_;
  std::shared_ptr<std::atomic<bool>> stop_;  // Of the thread that watches now; null: none does.
  std::vector<Watch> watches_;               // The last one watches; the others were told to stop.
};

}  // namespace rowlock
