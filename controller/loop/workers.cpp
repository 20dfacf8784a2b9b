// One mutex guards the lanes; threads take the oldest job of a lane that has room, and sleep when
// there is none.
#include "controller/loop/workers.h"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace rowlock {
namespace {

struct Task {
  std::uint64_t number = 0;  // Of submission: the smallest is the oldest.
  std::function<void()> job;
  std::function<void()> done;
};

// Exists while it has a job, waiting or running.
struct Lane {
  std::size_t running = 0;
  std::deque<Task> waiting;

  // How many more could begin now.
  std::size_t startable() const { return std::min(waiting.size(), Workers::kPerLane - running); }
};

using Lanes = std::map<std::string, Lane>;

std::size_t startable(const Lanes& lanes) {
  std::size_t sum = 0;
  for (const auto& [name, lane] : lanes) {
    sum += lane.startable();
  }
  return sum;
}

// The lane with the oldest job that could begin now, or end().
Lanes::iterator next_lane(Lanes& lanes) {
  auto oldest = lanes.end();
  for (auto lane = lanes.begin(); lane != lanes.end(); ++lane) {
    if (lane->second.startable() == 0) {
      continue;
    }
    if (oldest == lanes.end() ||
        lane->second.waiting.front().number < oldest->second.waiting.front().number) {
      oldest = lane;
    }
  }
  return oldest;
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
  std::vector<std::thread> threads;
  std::size_t idle = 0;  // Threads without a job, counted from their creation.
  std::uint64_t submitted = 0;
  bool ending = false;

  void add_thread();
  void work();
  void run(Task task, const std::string& lane, std::unique_lock<std::mutex>& lock);
};

// Requires: the mutex is held.
void Workers::Pool::add_thread() {
  threads.emplace_back([this] { work(); });
  ++idle;
}

// The life of one thread.
void Workers::Pool::work() {
  std::unique_lock lock(mutex);
  while (true) {
    auto lane = lanes.end();
    changed.wait(lock, [&] { return ending || (lane = next_lane(lanes)) != lanes.end(); });
    if (ending) {
      return;
    }
    Task task = std::move(lane->second.waiting.front());
    lane->second.waiting.pop_front();
    run(std::move(task), lane->first, lock);
  }
}

// Requires: the mutex is held by `lock`, and is again on return; not while the job runs.
void Workers::Pool::run(Task task, const std::string& lane_name,
                        std::unique_lock<std::mutex>& lock) {
  const auto lane = lanes.find(lane_name);  // A running job keeps its lane, so this stays good.
  ++lane->second.running;
  --idle;
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
  if (--lane->second.running == 0 && lane->second.waiting.empty()) {
    lanes.erase(lane);
  }
}

// One thread from the start: if the system refuses more later, work is slow, but it is done.
Workers::Workers(Loop& loop, std::size_t threads_max)
    : pool_(std::make_unique<Pool>(loop, threads_max)) {
  const std::lock_guard lock(pool_->mutex);
  pool_->add_thread();
}

Workers::~Workers() {
  Lanes dropped;  // Destroyed after the lock is released, since a job may own anything.
  {
    const std::lock_guard lock(pool_->mutex);
    pool_->ending = true;
    for (auto& [name, lane] : pool_->lanes) {
      dropped[name].waiting.swap(lane.waiting);
    }
  }
  pool_->changed.notify_all();
  for (std::thread& thread : pool_->threads) {
    thread.join();
  }
}

void Workers::submit(const std::string& lane, std::function<void()> job,
                     std::function<void()> done) {
  const std::lock_guard lock(pool_->mutex);
  pool_->lanes[lane].waiting.push_back({pool_->submitted++, std::move(job), std::move(done)});
  if (startable(pool_->lanes) > pool_->idle && pool_->threads.size() < pool_->threads_max) {
    try {
      pool_->add_thread();
    } catch (const std::system_error&) {
      // The system has no thread to give: those that run will come to this job.
    }
  }
  pool_->changed.notify_one();
}

std::size_t Workers::queued() const {
  const std::lock_guard lock(pool_->mutex);
  std::size_t sum = 0;
  for (const auto& [name, lane] : pool_->lanes) {
    sum += lane.waiting.size();
  }
  return sum;
}

std::size_t Workers::running() const {
  const std::lock_guard lock(pool_->mutex);
  return pool_->threads.size() - pool_->idle;
}

}  // namespace rowlock
