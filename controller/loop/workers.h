// Threads for what may block: calls to engines, disks, databases far away. Work comes in lanes, one
// for each thing that could hang (a node, a store), so that one that hangs holds up its own lane
// and nobody else.
#pragma once

#include "controller/base/lanes.h"
#include "controller/loop/loop.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace rowlock {

class Workers {
 public:
  static constexpr std::size_t kThreadsMax =
      256;  // Jobs at once; more lanes than this can hold wait their turn.

  // At most so many threads, and at least one. Requires: the loop outlives the workers. To be made,
  // used and destroyed on the loop thread.
  explicit Workers(Loop& loop, std::size_t threads_max = kThreadsMax);

  // Drops what has not begun, waits for what has: a job must have a deadline of its own. Calls no
  // `done` any more.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Calls `job` on some other thread, and `done` on the loop thread after it. Both are called once,
  // or dropped when the workers are destroyed. What the job found out travels in something that
  // both own. In the order of Lanes. `job` must not throw.
  void submit(const Place& place, std::function<void()> job, std::function<void()> done);

  // Jobs that have not begun. The queue takes all that it is given: whoever submits must bound it.
  std::size_t queued() const;

  // Jobs that have begun and not ended.
  std::size_t running() const;

 private:
  struct Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace rowlock
