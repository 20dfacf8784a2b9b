// One mutex guards the lanes; threads take the job whose turn it is, and sleep when there is none.
#include "controller/loop/workers.h"

#include "controller/base/check.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace rowlock {
namespace {

struct Task {
  std::function<void()> job;
  std::function<void()> done;
};

using SteadyClock = std::chrono::steady_clock;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             SteadyClock::now().time_since_epoch())
      .count();
}

}  // namespace

struct Workers::Pool {
  Pool(Loop& loop_of_workers, std::size_t most) : loop(loop_of_workers), threads_max(most) {}

  Loop& loop;
  const std::size_t threads_max;
  // Gone when the workers are: what was posted before and comes after finds it expired. Loop thread
  // only, but for copies.
  std::shared_ptr<const bool> alive = std::make_shared<const bool>(true);

  mutable std::mutex mutex;  // Guards what follows.
  std::condition_variable changed;
  Lanes lanes;
  std::map<std::uint64_t, Task> tasks;  // Those that wait in the lanes.
  std::vector<std::thread> threads;
  std::size_t idle = 0;  // Threads without a job, counted from their creation.
  std::uint64_t submitted = 0;
  bool ending = false;

  void add_thread();
  void work();
  void sleep(std::unique_lock<std::mutex>& lock);
  void run(std::uint64_t job, std::unique_lock<std::mutex>& lock);
};

// As far as there may be one more. Requires: the mutex is held, and the workers are not ending.
void Workers::Pool::add_thread() {
  if (threads.size() >= threads_max) return;
  try {
    threads.emplace_back([this] { work(); });
    ++idle;
  } catch (const std::system_error&) {
    // The system has no thread to give: those that run will come to what waits.
  }
}

// The life of one thread.
void Workers::Pool::work() {
  std::unique_lock lock(mutex);
  while (!ending) {
    if (const auto job = lanes.begin(now_ms())) {
      run(*job, lock);
    } else {
      sleep(lock);
    }
  }
}

// Until there may be something to begin: a job came, one ended, or one is slow by now.
void Workers::Pool::sleep(std::unique_lock<std::mutex>& lock) {
  const std::int64_t now = now_ms();
  if (const auto slow_ms = lanes.next_slow_ms(now)) {
    changed.wait_for(lock, std::chrono::milliseconds(*slow_ms - now));
  } else {
    changed.wait(lock);
  }
}

// Requires: the mutex is held by `lock`, and is again on return; not while the job runs.
void Workers::Pool::run(std::uint64_t job, std::unique_lock<std::mutex>& lock) {
  Task task = std::move(tasks.extract(job).mapped());
  --idle;
  if (idle == 0 && lanes.waiting() > 0) {
    add_thread();  // Somebody has to see when one of those that run is slow.
  }
  const std::weak_ptr<const bool> still_alive = alive;
  lock.unlock();
  task.job();
  task.job = nullptr;  // What only the job owned ends here, on this thread.
  loop.post([still_alive, done = std::move(task.done)] {
    if (!still_alive.expired()) {
      done();
    }
  });
  lock.lock();
  ++idle;
  lanes.end(job);
}

// One thread from the start: if the system refuses more later, work is slow, but it is done.
Workers::Workers(Loop& loop, std::size_t threads_max)
    : pool_(std::make_unique<Pool>(loop, threads_max)) {
  const std::lock_guard lock(pool_->mutex);
  pool_->add_thread();
  CHECK(!pool_->threads.empty());
}

Workers::~Workers() {
  std::map<std::uint64_t, Task> dropped;  // Destroyed without the lock: a job may own anything.
  {
    const std::lock_guard lock(pool_->mutex);
    pool_->ending = true;
    dropped.swap(pool_->tasks);
  }
  pool_->changed.notify_all();
  for (std::thread& thread : pool_->threads) {
    thread.join();
  }
}

void Workers::submit(const Place& place, std::function<void()> job, std::function<void()> done) {
  const std::lock_guard lock(pool_->mutex);
  const std::uint64_t number = pool_->submitted++;
  pool_->tasks.emplace(number, Task{std::move(job), std::move(done)});
  pool_->lanes.wait(number, place);
  if (pool_->lanes.startable(now_ms()) >= pool_->idle) {
    pool_->add_thread();
  }
  pool_->changed.notify_one();
}

std::size_t Workers::queued() const {
  const std::lock_guard lock(pool_->mutex);
  return pool_->tasks.size();
}

std::size_t Workers::running() const {
  const std::lock_guard lock(pool_->mutex);
  return pool_->threads.size() - pool_->idle;
}

}  // namespace rowlock
