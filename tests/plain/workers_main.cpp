// The worker pool under many threads, as a plain program: ThreadSanitizer and valgrind cannot run
// Criterion. Ends with 0 when every job was run and every `done` called, on the right thread.
#include "controller/loop/workers.h"

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

namespace {

constexpr int kJobs = 5000;
constexpr int kLanes = 7;
constexpr int kRounds = 20;

bool expect(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "workers_main: %s\n", what);
  }
  return holds;
}

// What a job found out reaches its `done` without a lock of their own.
bool results_arrive_on_the_loop_thread() {
  rowlock::Loop loop;
  rowlock::Workers workers(loop);
  const std::thread::id here = std::this_thread::get_id();
  bool is_right = true;
  int done = 0;
  for (int i = 0; i < kJobs; ++i) {
    const auto answer = std::make_shared<std::string>();
    workers.submit(
        {"lane-" + std::to_string(i % kLanes)}, [answer, i] { *answer = std::to_string(i); },
        [&, answer, i] {
          is_right = is_right && *answer == std::to_string(i) && std::this_thread::get_id() == here;
          if (++done == kJobs) {
            loop.stop();
          }
        });
  }
  loop.run();
  return expect(is_right, "a result was wrong, or told on another thread") &&
         expect(workers.queued() == 0, "jobs are left over");
}

// `done` submits the next job, as the controller does.
bool jobs_follow_jobs() {
  rowlock::Loop loop;
  rowlock::Workers workers(loop);
  int left = kJobs;
  std::function<void()> next = [&] {
    if (--left <= 0) {
      loop.stop();
      return;
    }
    workers.submit(
        {"lane-" + std::to_string(left % kLanes)}, [] {}, next);
  };
  for (int i = 0; i < kLanes; ++i) {
    workers.submit(
        {"lane-" + std::to_string(i)}, [] {}, next);
  }
  loop.run();
  return expect(left <= 0, "the chain of jobs broke");
}

bool destruction_meets_running_jobs() {
  std::atomic<int> begun = 0;
  for (int round = 0; round < kRounds; ++round) {
    rowlock::Loop loop;
    bool is_destroyed = false;
    bool is_late = false;
    auto workers = std::make_unique<rowlock::Workers>(loop);
    for (int i = 0; i < 200; ++i) {
      workers->submit(
          {"lane-" + std::to_string(i % kLanes)}, [&] { ++begun; },
          [&] {
            is_late = is_late || is_destroyed;
            if (workers != nullptr) {
              loop.stop();
            }
          });
    }
    loop.run();
    workers.reset();
    is_destroyed = true;
    loop.post([&] { loop.stop(); });
    loop.run();
    if (!expect(!is_late, "done was called after destruction")) {
      return false;
    }
  }
  return expect(begun > 0, "no job was run");
}

}  // namespace

int main() {
  const bool is_right =
      results_arrive_on_the_loop_thread() && jobs_follow_jobs() && destruction_meets_running_jobs();
  return is_right ? 0 : 1;
}
