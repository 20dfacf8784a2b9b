// The loop with everything it hands out, and that all of it may go away at any moment.
#include "controller/loop/loop.h"

#include <criterion/criterion.h>

#include <array>
#include <signal.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using rowlock::FdWatch;
using rowlock::Loop;
using rowlock::Signal;
using rowlock::Spin;
using rowlock::Timer;

namespace {

struct Pipe {
  Pipe() { cr_assert_eq(pipe(ends.data()), 0); }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  void write_byte() const { cr_assert_eq(write(ends[1], "x", 1), 1); }
  void read_byte() const {
    char byte = 0;
    cr_assert_eq(read(ends[0], &byte, 1), 1);
  }
  std::array<int, 2> ends = {};
};

}  // namespace

Test(loop, what_any_thread_posts_is_called_on_the_loop_thread_in_order, .timeout = 20) {
  Loop loop;
  std::vector<int> called;
  const std::thread::id loop_thread = std::this_thread::get_id();

  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) {
      loop.post([&, i] {
        cr_assert(std::this_thread::get_id() == loop_thread);
        called.push_back(i);
      });
    }
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  other.join();

  cr_assert_eq(called.size(), 1000);
  for (int i = 0; i < 1000; ++i) {
    cr_assert_eq(called[static_cast<std::size_t>(i)], i);
  }
}

Test(loop, a_stop_before_run_is_remembered_and_run_may_be_called_again, .timeout = 20) {
  Loop loop;
  loop.stop();
  loop.run();

  bool is_called = false;
  loop.post([&] {
    is_called = true;
    loop.stop();
  });
  loop.run();

  cr_assert(is_called);
}

Test(loop, timers_call_in_order_of_time_and_a_cancelled_one_never, .timeout = 20) {
  Loop loop;
  std::string order;
  const auto late = loop.timer();
  const auto soon = loop.timer();
  const auto cancelled = loop.timer();

  late->start(30, [&] {
    order += "late";
    loop.stop();
  });
  soon->start(2, [&] { order += "soon "; });
  cancelled->start(10, [&] { order += "cancelled "; });
  cancelled->cancel();
  loop.run();

  cr_assert(order == "soon late");
  cr_assert_not(late->is_running());
}

Test(loop, a_repeating_timer_repeats_until_cancelled, .timeout = 20) {
  Loop loop;
  int calls = 0;
  const auto timer = loop.timer();

  timer->start_repeating(1, [&] {
    if (++calls == 3) {
      timer->cancel();
      loop.stop();
    }
  });
  loop.run();

  cr_assert_eq(calls, 3);
  cr_assert_not(timer->is_running());
}

Test(loop, a_timer_may_start_itself_again_without_starving_the_loop, .timeout = 20) {
  Loop loop;
  const auto timer = loop.timer();
  std::function<void()> again = [&] { timer->start(0, again); };

  timer->start(0, again);
  const auto other = loop.timer();
  other->start(5, [&] { loop.post([&] { loop.stop(); }); });
  loop.run();

  cr_assert(timer->is_running());
}

Test(loop, a_watch_may_be_destroyed_in_its_own_callback, .timeout = 20) {
  Loop loop;
  const Pipe pipe;
  int calls = 0;

  std::unique_ptr<Timer> timer = loop.timer();
  timer->start_repeating(1, [&, kept = std::make_shared<std::string>("alive")] {
    timer.reset();
    cr_assert_str_eq(kept->c_str(), "alive");
    ++calls;
    pipe.write_byte();
  });
  std::unique_ptr<FdWatch> watch;
  watch = loop.watch_fd(pipe.ends[0], true, false, [&](bool, bool) {
    watch.reset();
    ++calls;
    loop.stop();
  });
  loop.run();

  cr_assert_eq(calls, 2);
}

Test(loop, a_descriptor_is_told_readable_and_writable, .timeout = 20) {
  Loop loop;
  const Pipe pipe;
  pipe.write_byte();
  bool was_writable = false;
  int bytes = 0;

  const auto reading = loop.watch_fd(pipe.ends[0], true, false, [&](bool readable, bool writable) {
    cr_assert(readable);
    cr_assert_not(writable);
    pipe.read_byte();
    ++bytes;
    if (bytes == 1) {
      pipe.write_byte();
    } else {
      loop.stop();
    }
  });
  std::unique_ptr<FdWatch> writing;
  writing = loop.watch_fd(pipe.ends[1], false, true, [&](bool, bool writable) {
    was_writable = writable;
    writing->want(false, false);
    writing.reset();
  });
  loop.run();

  cr_assert(was_writable);
  cr_assert_eq(bytes, 2);
}

Test(loop, a_hang_up_is_told, .timeout = 20) {
  Loop loop;
  const Pipe pipe;
  bool was_told = false;

  const auto watch = loop.watch_fd(pipe.ends[0], true, false, [&](bool readable, bool) {
    was_told = readable;
    loop.stop();
  });
  close(pipe.ends[1]);
  loop.run();

  cr_assert(was_told);
}

Test(loop, the_same_descriptor_can_be_watched_again_at_once, .timeout = 20) {
  Loop loop;
  const Pipe pipe;
  pipe.write_byte();

  auto watch = loop.watch_fd(pipe.ends[0], true, false, [](bool, bool) { cr_assert(false); });
  watch.reset();
  watch = loop.watch_fd(pipe.ends[0], true, false, [&](bool, bool) { loop.stop(); });
  loop.run();
}

Test(loop, a_signal_calls_back_instead_of_ending_the_process, .timeout = 20) {
  Loop loop;
  int calls = 0;
  const auto signal = loop.on_signal(SIGTERM, [&] {
    ++calls;
    loop.stop();
  });

  loop.post([] { kill(getpid(), SIGTERM); });
  loop.run();

  cr_assert_eq(calls, 1);
}

Test(loop, a_spin_turns_until_stopped_and_lets_other_events_through, .timeout = 20) {
  Loop loop;
  int turns = 0;
  std::unique_ptr<Spin> spin;
  spin = loop.spin([&] {
    if (++turns == 1) {
      loop.post([&] {
        spin->stop();
        loop.stop();
      });
    }
  });
  cr_assert_not(spin->is_running());

  spin->start();
  cr_assert(spin->is_running());
  loop.run();

  cr_assert_geq(turns, 1);
  cr_assert_not(spin->is_running());
}

Test(loop, everything_may_outlive_the_loop, .timeout = 20) {
  auto loop = std::make_unique<Loop>();
  const Pipe pipe;
  const auto timer = loop->timer();
  timer->start(1, [] { cr_assert(false); });
  const auto signal = loop->on_signal(SIGUSR1, [] {});
  const auto watch = loop->watch_fd(pipe.ends[0], true, false, [](bool, bool) {});
  const auto spin = loop->spin([] {});
  spin->start();
  loop->post([owned = std::shared_ptr<Timer>(loop->timer())] { cr_assert(false); });

  loop.reset();

  timer->start(1, [] {});
  timer->cancel();
  spin->start();
  watch->want(true, true);
  cr_assert_not(timer->is_running());
  cr_assert_not(spin->is_running());
}
