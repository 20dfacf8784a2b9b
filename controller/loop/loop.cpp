// The loop itself: running, stopping, and being woken by other threads. What it hands out is in
// watches.cpp.

#include "controller/loop/loop.h"

#include "controller/base/check.h"
#include "controller/loop/handle.h"

#include <uv.h>

#include <mutex>
#include <utility>
#include <vector>

namespace rowlock {
namespace {

// The one handle that other threads may touch: its only use is to wake the loop.
class WakeHandle final : public Handle {
 public:
  WakeHandle(uv_loop_t* loop, std::function<void()> callback) : callback_(std::move(callback)) {
    const auto on_wake = [](uv_async_t* async) {
      handle_behind<WakeHandle>(async->data).callback_();
    };
    CHECK(uv_async_init(loop, &async_, on_wake) == 0);
  }

  void send() { CHECK(uv_async_send(&async_) == 0); }

 private:
  uv_handle_t* raw() override { return reinterpret_cast<uv_handle_t*>(&async_); }

  uv_async_t async_ = {};
  std::function<void()> callback_;
};

}  // namespace

struct Loop::Inside {
  uv_loop_t loop = {};
  std::shared_ptr<WakeHandle> wake;

  std::mutex mutex;  // Guards what follows, and that nobody wakes a loop that is ending.
  std::vector<std::function<void()>> posted;
  bool stop_asked = false;
  bool ending = false;

  void woken();
};

// Takes the whole list at once: what a callback posts is for the next turn, so that other events
// get theirs.
void Loop::Inside::woken() {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex);
    callbacks.swap(posted);
    if (std::exchange(stop_asked, false)) {
      uv_stop(&loop);
    }
  }
  for (const std::function<void()>& callback : callbacks) {
    callback();
  }
}

Loop::Loop() : inside_(std::make_unique<Inside>()) {
  CHECK(uv_loop_init(&inside_->loop) == 0);
  Inside* inside = inside_.get();
  inside_->wake = std::make_shared<WakeHandle>(&inside_->loop, [inside] { inside->woken(); });
  inside_->wake->keep();
}

Loop::~Loop() {
  std::vector<std::function<void()>> dropped;
  {
    const std::lock_guard lock(inside_->mutex);
    inside_->ending = true;
    dropped.swap(inside_->posted);
  }
  dropped.clear();  // Before the handles, since a callback may own some.

  const auto close = [](uv_handle_t* handle, void*) {
    handle_behind<Handle>(handle->data).close();
  };
  uv_walk(&inside_->loop, close, nullptr);
  while (uv_run(&inside_->loop, UV_RUN_DEFAULT) != 0) {
  }
  CHECK(uv_loop_close(&inside_->loop) == 0);
}

void Loop::run() { uv_run(&inside_->loop, UV_RUN_DEFAULT); }

void Loop::stop() {
  const std::lock_guard lock(inside_->mutex);
  if (!inside_->ending) {
    inside_->stop_asked = true;
    inside_->wake->send();
  }
}

void Loop::post(std::function<void()> callback) {
  const std::lock_guard lock(inside_->mutex);
  if (!inside_->ending) {
    inside_->posted.push_back(std::move(callback));
    inside_->wake->send();
  }
}

uv_loop_s* Loop::raw() { return &inside_->loop; }

}  // namespace rowlock
