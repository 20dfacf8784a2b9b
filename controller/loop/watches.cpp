// What a loop hands out: timers, signals, descriptors and spins, each a libuv handle behind an
// object that a caller owns. All libuv errors here are programmer errors: a descriptor that cannot
// be polled, a signal that does not exist.
#include "controller/base/check.h"
#include "controller/loop/handle.h"
#include "controller/loop/loop.h"

#include <uv.h>

#include <algorithm>
#include <utility>

namespace rowlock {

// ---- Timer --------------------------------------------------------------------------------------

class TimerHandle final : public Handle {
 public:
  explicit TimerHandle(uv_loop_t* loop) { CHECK(uv_timer_init(loop, &timer_) == 0); }

  void start(std::int64_t ms, std::int64_t repeat_ms, std::function<void()> callback) {
    if (!is_open()) {
      return;
    }
    callback_ = std::make_shared<const std::function<void()>>(std::move(callback));
    uv_update_time(
        timer_
            .loop);  // The loop's idea of now is as old as this turn; counting from it fires early.
    const auto delay = static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 1));
    CHECK(uv_timer_start(&timer_, on_time, delay, static_cast<std::uint64_t>(repeat_ms)) == 0);
  }

  void cancel() {
    if (is_open()) {
      uv_timer_stop(&timer_);
    }
  }

  bool is_running() const {
    return is_open() && uv_is_active(reinterpret_cast<const uv_handle_t*>(&timer_)) != 0;
  }

 private:
  static void on_time(uv_timer_t* timer) {
    // A copy, since the callback may start this timer again with another one.
    const auto callback = handle_behind<TimerHandle>(timer->data).callback_;
    (*callback)();
  }

  uv_handle_t* raw() override { return reinterpret_cast<uv_handle_t*>(&timer_); }

  uv_timer_t timer_ = {};
  std::shared_ptr<const std::function<void()>> callback_;
};

Timer::Timer(std::shared_ptr<TimerHandle> handle) : handle_(std::move(handle)) {}
Timer::~Timer() { handle_->close(); }

void Timer::start(std::int64_t ms, std::function<void()> callback) {
  handle_->start(ms, 0, std::move(callback));
}

void Timer::start_repeating(std::int64_t ms, std::function<void()> callback) {
  handle_->start(ms, std::max<std::int64_t>(ms, 1), std::move(callback));
}

void Timer::cancel() { handle_->cancel(); }
bool Timer::is_running() const { return handle_->is_running(); }

std::unique_ptr<Timer> Loop::timer() {
  auto handle = std::make_shared<TimerHandle>(raw());
  handle->keep();
  return std::make_unique<Timer>(std::move(handle));
}

// ---- Signal -------------------------------------------------------------------------------------

class SignalHandle final : public Handle {
 public:
  SignalHandle(uv_loop_t* loop, std::function<void()> callback) : callback_(std::move(callback)) {
    CHECK(uv_signal_init(loop, &signal_) == 0);
  }

  void start(int number) {
    const auto on_signal = [](uv_signal_t* signal, int) {
      handle_behind<SignalHandle>(signal->data).callback_();
    };
    CHECK(uv_signal_start(&signal_, on_signal, number) == 0);
  }

 private:
  uv_handle_t* raw() override { return reinterpret_cast<uv_handle_t*>(&signal_); }

  uv_signal_t signal_ = {};
  std::function<void()> callback_;
};

Signal::Signal(std::shared_ptr<SignalHandle> handle) : handle_(std::move(handle)) {}
Signal::~Signal() { handle_->close(); }

std::unique_ptr<Signal> Loop::on_signal(int number, std::function<void()> callback) {
  auto handle = std::make_shared<SignalHandle>(raw(), std::move(callback));
  handle->keep();
  handle->start(number);
  return std::make_unique<Signal>(std::move(handle));
}

// ---- FdWatch ------------------------------------------------------------------------------------

class FdHandle final : public Handle {
 public:
  FdHandle(uv_loop_t* loop, int fd, std::function<void(bool, bool)> callback)
      : callback_(std::move(callback)) {
    CHECK(uv_poll_init(loop, &poll_, fd) == 0);
  }

  void want(bool readable, bool writable) {
    if (is_open()) {
      const int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
      CHECK(uv_poll_start(&poll_, events, on_event) == 0);
    }
  }

 private:
  static void on_event(uv_poll_t* poll, int status, int events) {
    const bool failed = status < 0;
    handle_behind<FdHandle>(poll->data)
        .callback_(failed || (events & UV_READABLE) != 0, failed || (events & UV_WRITABLE) != 0);
  }

  uv_handle_t* raw() override { return reinterpret_cast<uv_handle_t*>(&poll_); }

  uv_poll_t poll_ = {};
  std::function<void(bool, bool)> callback_;
};

FdWatch::FdWatch(std::shared_ptr<FdHandle> handle) : handle_(std::move(handle)) {}
FdWatch::~FdWatch() { handle_->close(); }
void FdWatch::want(bool readable, bool writable) { handle_->want(readable, writable); }

std::unique_ptr<FdWatch> Loop::watch_fd(int fd, bool readable, bool writable,
                                        std::function<void(bool, bool)> callback) {
  auto handle = std::make_shared<FdHandle>(raw(), fd, std::move(callback));
  handle->keep();
  handle->want(readable, writable);
  return std::make_unique<FdWatch>(std::move(handle));
}

// ---- Spin ---------------------------------------------------------------------------------------

class SpinHandle final : public Handle {
 public:
  SpinHandle(uv_loop_t* loop, std::function<void()> callback) : callback_(std::move(callback)) {
    CHECK(uv_idle_init(loop, &idle_) == 0);
  }

  void start() {
    const auto on_turn = [](uv_idle_t* idle) { handle_behind<SpinHandle>(idle->data).callback_(); };
    if (is_open()) {
      CHECK(uv_idle_start(&idle_, on_turn) == 0);
    }
  }

  void stop() {
    if (is_open()) {
      uv_idle_stop(&idle_);
    }
  }

  bool is_running() const {
    return is_open() && uv_is_active(reinterpret_cast<const uv_handle_t*>(&idle_)) != 0;
  }

 private:
  uv_handle_t* raw() override { return reinterpret_cast<uv_handle_t*>(&idle_); }

  uv_idle_t idle_ = {};
  std::function<void()> callback_;
};

Spin::Spin(std::shared_ptr<SpinHandle> handle) : handle_(std::move(handle)) {}
Spin::~Spin() { handle_->close(); }
void Spin::start() { handle_->start(); }
void Spin::stop() { handle_->stop(); }
bool Spin::is_running() const { return handle_->is_running(); }

std::unique_ptr<Spin> Loop::spin(std::function<void()> callback) {
  auto handle = std::make_shared<SpinHandle>(raw(), std::move(callback));
  handle->keep();
  return std::make_unique<Spin>(std::move(handle));
}

}  // namespace rowlock
