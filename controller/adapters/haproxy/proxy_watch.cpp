// One thread that waits for the process to end. The port's call returns when it has ended or is not
// there, so the thread pauses before it asks again.
#include "controller/adapters/haproxy/proxy_watch.h"

#include "controller/ports/proxy.h"

#include <chrono>

namespace rowlock {

namespace {

// While none runs: how soon one that was started is watched.
constexpr std::chrono::milliseconds kPause(100);

}  // namespace

ProxyWatch::ProxyWatch(World& world, std::function<void()> ended)
    : world_(world), ended_(std::move(ended)) {}

ProxyWatch::~ProxyWatch() {
  set_proxy("", false);
  for (Watch& watch : watches_) {
    watch.thread.join();
  }
}

void ProxyWatch::set_proxy(const std::string& socket, bool is_wanted) {
  if ((stop_ != nullptr) == is_wanted && (!is_wanted || socket == socket_)) {
    return;
  }
  if (stop_ != nullptr) {
    *stop_ = true;  // Ends within a second; nobody waits for that here.
    stop_.reset();
  }
  std::erase_if(watches_, [](Watch& watch) {
    if (!*watch.has_ended) return false;
    watch.thread.join();
    return true;
  });
  if (is_wanted) {
    socket_ = socket;
    stop_ = std::make_shared<std::atomic<bool>>(false);
    auto has_ended = std::make_shared<std::atomic<bool>>(false);
    watches_.push_back({std::thread([this, socket, stop = stop_, has_ended] {
                          listen(socket, *stop);
                          *has_ended = true;
                        }),
                        has_ended});
  }
}

void ProxyWatch::listen(const std::string& socket, const std::atomic<bool>& stop) {
  while (!stop) {
    // What became of it is told by the next look, with a deadline and a message of its own. One
    // that was gone before it could be watched has ended, too.
    (void)world_.proxy(socket).watch(stop, [] {}).ok();
    if (!stop) {
      ended_();
      std::this_thread::sleep_for(kPause);
    }
  }
}

}  // namespace rowlock
