// Whose turn it is: which of the jobs that wait for a worker begins next. Knows no thread and no
// clock, so that the workers and the simulator share it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace rowlock {

// Where a job waits.
struct Place {
  std::string lane;       // What may hang: a node, a store. One that hangs holds up no other.
  std::string name = {};  // On whose behalf; empty: nobody's, bounded by its lane alone.
  int turn = 0;           // Smaller ones begin first: 0 heals, others come after.
};

// Jobs by lane, within it by name. Within a lane the smaller turn begins first, then the older job.
//
// States of a job:  wait() ──begin()──▶ running ──end()──▶ gone;  a running one is slow when it has
// run for kSlowAfterMs, and gives up its place among the brisk ones of its lane: what hangs for one
// name must not keep another name's from beginning.
class Lanes {
 public:
  // Brisk jobs of a lane at once. An engine makes containers fastest when it is asked for four to
  // eight at a time.
  static constexpr std::size_t kBrisk = 8;
  static constexpr std::size_t kOfLane = 24;  // With the slow ones.
  static constexpr std::size_t kOfName = 6;   // Within a lane.
  static constexpr std::int64_t kSlowAfterMs = 5000;

  // The job, called by a number of the caller's that no other one has. Older ones have smaller
  // ones.
  void wait(std::uint64_t job, const Place& place);

  // The job that begins now; nothing when none may.
  std::optional<std::uint64_t> begin(std::int64_t now_ms);

  // Requires: it has begun.
  void end(std::uint64_t job);

  // How many more could begin now.
  std::size_t startable(std::int64_t now_ms) const;

  // When another one could begin although none ends, because a running one is slow by then; nothing
  // when that helps nobody.
  std::optional<std::int64_t> next_slow_ms(std::int64_t now_ms) const;

  std::size_t waiting() const { return waiting_; }

 private:
  struct Group {  // Of one name. Exists while it has a job, waiting or running.
    std::size_t running = 0;
    std::set<std::pair<int, std::uint64_t>> waiting;  // By turn, then by age.
  };
  struct Lane {
    std::map<std::string, Group> groups;
    std::multiset<std::int64_t> begun_ms;  // Of the running ones.

    std::size_t room(std::int64_t now_ms) const;
    const std::string* next() const;
  };
  struct Running {
    Place place;
    std::int64_t begun_ms;
  };

  static std::size_t room_of(const std::string& name, const Group& group);

  std::map<std::string, Lane> lanes_;
  std::map<std::uint64_t, Running> running_;
  std::size_t waiting_ = 0;
};

}  // namespace rowlock
