// The executor of the simulation. For each step it is drawn when it is made, whether it is made at
// all, and when its answer comes.
#include "tests/simulator/hands.h"

#include <algorithm>

namespace rowlock::simulator {

namespace {

constexpr std::int64_t kDeadlineMs = 30000;
constexpr std::int64_t kLateMs = 20000;  // So long after its deadline a call may still be made.

// What goes on in Rowlock itself, or ends with its connection: a call on the proxy or on a server,
// a dump on its way to a store.
bool is_bound(const std::string& lane) {
  for (const char* const part : {"proxy", "postgresql://", "backup/", "store/", "restore/"}) {
    if (lane.starts_with(part)) return true;
  }
  return false;
}

}  // namespace

void Hands::submit(const Place& place, std::function<Outcome()> work,
                   std::function<void(Outcome)> done) {
  auto pending = std::make_shared<Pending>();
  pending->lane = place.lane;
  pending->ticket = submitted_++;
  pending->work = std::move(work);
  pending->done = std::move(done);
  lanes_.wait(pending->ticket, place);
  waiting_.emplace(pending->ticket, std::move(pending));
  begin_all();
}

// All that have a place in their lanes; what waits for a slow one is looked at again by then.
void Hands::begin_all() {
  while (const auto ticket = lanes_.begin(timeline_.now_ms())) {
    begin(waiting_.extract(*ticket).mapped());
  }
  const auto slow_ms = lanes_.next_slow_ms(timeline_.now_ms());
  if (slow_ms && *slow_ms != looks_at_ms_) {
    looks_at_ms_ = *slow_ms;
    timeline_.at(*slow_ms, [this] { begin_all(); });
  }
}

void Hands::begin(const std::shared_ptr<Pending>& pending) {
  const std::string& lane = pending->lane;
  const bool is_check =
      lane.ends_with("/exec");  // Hangs no longer than its own deadline: then it has failed.
  const bool changes = !lane.ends_with("/look") && !lane.ends_with("/observe") && !is_check;
  pending->number = changes ? ++steps_ : 0;
  pending->is_bound = is_bound(lane);
  under_way_.push_back(pending);
  std::int64_t made_after_ms = random_.between(1, weather_.latency_ms);
  std::int64_t heard_after_ms = made_after_ms + random_.between(1, weather_.latency_ms);
  if (!is_check && random_.chance(weather_.hangs)) {
    pending->hangs = true;
    heard_after_ms = kDeadlineMs;
    pending->is_dropped = random_.chance(333);
    const bool is_made_in_time = pending->is_bound || random_.chance(500);
    made_after_ms = is_made_in_time ? made_after_ms : random_.between(1, kDeadlineMs + kLateMs);
  }
  timeline_.after(made_after_ms, [this, pending] { make(pending); });
  timeline_.after(heard_after_ms, [this, pending] { answer(pending); });
}

bool Hands::is_cut(const Pending& pending, Moment moment) {
  return pending.number > 0 && !pending.is_unheard && on_step_ && on_step_(pending.number, moment);
}

void Hands::make(const std::shared_ptr<Pending>& pending) {
  if (pending->is_made) return;
  pending->is_made = true;
  if (is_cut(*pending, Moment::before)) pending->is_dropped = true;
  if (pending->is_dropped) return;
  engines_.be_late(pending->is_unheard);
  pending->outcome = pending->work();
  engines_.be_late(false);
  (void)is_cut(*pending, Moment::after);
}

void Hands::answer(const std::shared_ptr<Pending>& pending) {
  std::erase(under_way_, pending);
  if (pending->is_unheard) {
    pending->done(pending->outcome);  // Must be dropped by whoever asked.
    return;
  }
  lanes_.end(pending->ticket);
  begin_all();
  pending->is_unheard = true;
  if (pending->hangs) {
    pending->done(
        Outcome::of({Fault::transient, Cause::deadline, "the engine did not answer in time", ""}));
  } else {
    pending->done(pending->outcome);
    if (pending->number > 0 && on_step_) (void)on_step_(pending->number, Moment::recorded);
  }
}

void Hands::drop_all() {
  waiting_.clear();
  lanes_ = Lanes();
  for (const auto& pending : under_way_) {
    if (pending->is_unheard) continue;
    pending->is_unheard = true;
    pending->is_dropped = pending->is_dropped || random_.chance(500);
    if (pending->is_bound) make(pending);
  }
}

bool Hands::is_idle() const { return under_way_.empty() && waiting_.empty(); }

}  // namespace rowlock::simulator
