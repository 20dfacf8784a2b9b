// An executor that the test steps by hand, and on whose thread all is made.
#pragma once

#include "controller/controller.h"

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

// Work waits until the test says so.
class HandExecutor final : public Executor {
 public:
  void submit(const Place& place, std::function<Outcome()> work,
              std::function<void(Outcome)> done) override {
    places.push_back(place);
    waiting_.emplace_back(std::move(work), std::move(done));
  }
  bool make_one() {
    if (waiting_.empty()) {
      return false;
    }
    auto [work, done] = std::move(waiting_.front());
    waiting_.pop_front();
    done(work());
    return true;
  }
  void forget() { waiting_.clear(); }
  std::size_t waiting() const { return waiting_.size(); }

  std::vector<Place> places;  // Of all that was ever submitted.

 private:
  std::deque<std::pair<std::function<Outcome()>, std::function<void(Outcome)>>> waiting_;
};

}  // namespace rowlock
