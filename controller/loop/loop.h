// The event loop: one thread that sleeps until something happens, then calls whoever waits for it.
// Everything here belongs to the thread that calls run(), except post() and stop(), which any
// thread may call.
//
// What a loop hands out (timers, watches …) stops calling back when it is destroyed, also from
// inside its own callback. It may be destroyed before or after the loop; after the loop it does
// nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

struct uv_loop_s;

namespace rowlock {

class TimerHandle;
class SignalHandle;
class FdHandle;
class SpinHandle;

class Timer {
 public:
  explicit Timer(std::shared_ptr<TimerHandle> handle);
  ~Timer();

  // Calls back once, after ms, and never sooner. Replaces what was started before. At least one
  // millisecond passes, so that a timer that starts itself again cannot keep the loop from
  // everything else.
  void start(std::int64_t ms, std::function<void()> callback);

  // Calls back every ms until cancelled.
  void start_repeating(std::int64_t ms, std::function<void()> callback);

  void cancel();
  bool is_running() const;

 private:
  std::shared_ptr<TimerHandle> handle_;
};

class Signal {
 public:
  explicit Signal(std::shared_ptr<SignalHandle> handle);
  ~Signal();

 private:
  std::shared_ptr<SignalHandle> handle_;
};

// Does not own the descriptor. Destroy the watch before closing the descriptor.
class FdWatch {
 public:
  explicit FdWatch(std::shared_ptr<FdHandle> handle);
  ~FdWatch();

  // Changes what is waited for; both false pauses the watch.
  void want(bool readable, bool writable);

 private:
  std::shared_ptr<FdHandle> handle_;
};

// Calls back on every turn of the loop, which does not sleep meanwhile: it costs a whole core, so
// stop it in milliseconds. Made stopped.
class Spin {
 public:
  explicit Spin(std::shared_ptr<SpinHandle> handle);
  ~Spin();

  void start();
  void stop();
  bool is_running() const;

 private:
  std::shared_ptr<SpinHandle> handle_;
};

class Loop {
 public:
  Loop();

  // Drops what was posted and not yet called, and closes whatever is still open.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Returns after stop(). May be called again then.
  void run();

  // Any thread, also before run(), which then returns after one turn.
  void stop();

  // Any thread: has `callback` called on the loop thread, later, in the order posted.
  // Requires: the loop is alive; threads that post must end before it does.
  void post(std::function<void()> callback);

  std::unique_ptr<Timer> timer();

  // From here on the signal no longer ends the process.
  std::unique_ptr<Signal> on_signal(int number, std::function<void()> callback);

  // Level-triggered. An error or hang-up on the descriptor is told as readable and writable, since
  // reading is how to learn of it; after an error the watch is silent until want(). Requires: fd is
  // a socket, pipe or epoll descriptor, watched once.
  std::unique_ptr<FdWatch> watch_fd(int fd, bool readable, bool writable,
                                    std::function<void(bool readable, bool writable)> callback);

  std::unique_ptr<Spin> spin(std::function<void()> callback);

  uv_loop_s* raw();  // For the files of this folder.

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace rowlock
