// The pool of worker threads; tests/plain/workers_main.cpp looks for data races in the same code.
#include "controller/loop/workers.h"

#include <criterion/criterion.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using rowlock::Loop;
using rowlock::Workers;

namespace {

// Jobs wait at it until it is opened.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return is_open_; });
  }
  void wait_for(int arrived) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= arrived; });
  }
  int arrived() {
    const std::lock_guard lock(mutex_);
    return arrived_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
  int arrived_ = 0;
};

void nothing() {}

}  // namespace

Test(workers, a_job_runs_elsewhere_and_its_done_on_the_loop_thread_after_it, .timeout = 20) {
  Loop loop;
  Workers workers(loop);
  const std::thread::id here = std::this_thread::get_id();
  std::thread::id job_thread;
  bool is_done = false;

  workers.submit(
      {"local"}, [&] { job_thread = std::this_thread::get_id(); },
      [&] {
        cr_assert(std::this_thread::get_id() == here);
        cr_assert(job_thread != std::thread::id());
        is_done = true;
        loop.stop();
      });
  loop.run();

  cr_assert(is_done);
  cr_assert(job_thread != here);
}

Test(workers, a_lane_runs_no_more_jobs_at_once_than_it_may, .timeout = 20) {
  Loop loop;
  Workers workers(loop);
  Gate gate;
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  int done = 0;
  constexpr int kJobs = 40;

  const auto job = [&] {
    const int now = ++running;
    int seen = most;
    while (seen < now && !most.compare_exchange_weak(seen, now)) {
    }
    gate.pass();
    --running;
  };
  for (int i = 0; i < kJobs; ++i) {
    workers.submit({"local"}, job, [&] {
      if (++done == kJobs) {
        loop.stop();
      }
    });
  }
  constexpr auto kMost = static_cast<int>(rowlock::Lanes::kBrisk);
  gate.wait_for(kMost);
  cr_assert_eq(workers.running(), kMost);
  cr_assert_eq(workers.queued(), kJobs - kMost);
  gate.open();
  loop.run();

  cr_assert_eq(most, kMost);
  cr_assert_eq(workers.queued(), 0);
}

Test(workers, a_lane_that_hangs_holds_up_no_other, .timeout = 20) {
  Loop loop;
  Workers workers(loop);
  Gate gate;
  for (int i = 0; i < 10; ++i) {
    workers.submit(
        {"hangs"}, [&] { gate.pass(); }, nothing);
  }

  workers.submit({"works"}, nothing, [&] { loop.stop(); });
  loop.run();

  cr_assert_leq(gate.arrived(), static_cast<int>(rowlock::Lanes::kBrisk));
  gate.open();
}

Test(workers, a_name_that_hangs_holds_up_no_other_of_its_lane, .timeout = 20) {
  Loop loop;
  Workers workers(loop);
  Gate gate;
  for (int i = 0; i < 12; ++i) {
    workers.submit(
        {"local", "hangs"}, [&] { gate.pass(); }, nothing);
  }

  workers.submit({"local", "works"}, nothing, [&] { loop.stop(); });
  loop.run();

  cr_assert_leq(gate.arrived(), static_cast<int>(rowlock::Lanes::kOfName));
  gate.open();
}

Test(workers, a_lane_whose_jobs_all_hang_goes_on_once_they_are_slow, .timeout = 30) {
  Loop loop;
  Workers workers(loop);
  Gate gate;
  for (int i = 0; i < static_cast<int>(rowlock::Lanes::kBrisk); ++i) {
    workers.submit(
        {"local", std::to_string(i)}, [&] { gate.pass(); }, nothing);
  }
  int left = 3;
  for (int i = 0; i < 3; ++i) {
    workers.submit({"local", "works"}, nothing, [&] {
      if (--left == 0) loop.stop();
    });
  }
  loop.run();

  cr_assert_eq(gate.arrived(), static_cast<int>(rowlock::Lanes::kBrisk));
  gate.open();
}

Test(workers, jobs_begin_in_the_order_they_were_submitted, .timeout = 20) {
  Loop loop;
  Workers workers(loop);
  Gate gate;
  std::vector<int> begun;
  constexpr auto kBusy = static_cast<int>(rowlock::Lanes::kBrisk) - 1;
  for (int i = 0; i < kBusy; ++i) {  // One place is left in the lane.
    workers.submit(
        {"local"}, [&] { gate.pass(); }, nothing);
  }
  gate.wait_for(kBusy);

  for (int i = 0; i < 20; ++i) {
    workers.submit(
        {"local"}, [&begun, i] { begun.push_back(i); }, nothing);
  }
  workers.submit({"local"}, nothing, [&] { loop.stop(); });
  loop.run();
  gate.open();

  cr_assert_eq(begun.size(), 20);
  for (int i = 0; i < 20; ++i) {
    cr_assert_eq(begun[static_cast<std::size_t>(i)], i);
  }
}

Test(workers, threads_are_bounded_and_every_job_gets_its_turn, .timeout = 20) {
  Loop loop;
  Workers workers(loop);
  Gate gate;
  int done = 0;
  constexpr int kThreads = static_cast<int>(Workers::kThreadsMax);
  constexpr int kLanes = kThreads + 36;

  for (int i = 0; i < kLanes; ++i) {
    workers.submit(
        {"node-" + std::to_string(i)}, [&] { gate.pass(); },
        [&] {
          if (++done == kLanes) {
            loop.stop();
          }
        });
  }
  gate.wait_for(kThreads);
  cr_assert_eq(workers.running(), Workers::kThreadsMax);
  cr_assert_eq(workers.queued(), kLanes - kThreads);
  gate.open();
  loop.run();

  cr_assert_eq(done, kLanes);
}

Test(workers, destruction_drops_the_queue_waits_for_the_running_and_calls_no_done, .timeout = 20) {
  Loop loop;
  auto workers = std::make_unique<Workers>(loop);
  Gate gate;
  std::atomic<int> finished = 0;
  for (int i = 0; i < 10; ++i) {
    workers->submit(
        {"local"},
        [&] {
          gate.pass();
          ++finished;
        },
        [] { cr_assert(false, "done was called after destruction"); });
  }
  gate.wait_for(static_cast<int>(rowlock::Lanes::kBrisk));

  std::thread opener([&] { gate.open(); });
  workers.reset();
  opener.join();
  loop.post([&] { loop.stop(); });
  loop.run();

  cr_assert_geq(finished, static_cast<int>(rowlock::Lanes::kBrisk));
  cr_assert_eq(finished, gate.arrived());
}
