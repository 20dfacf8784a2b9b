// Read pass() and turn() first: they are the loop. A step that changes only rows is made in the
// turn, in its transaction; a step that changes the world is marked there and made after the
// commit.
#include "controller/controller.h"

#include "controller/outcome.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace rowlock {

namespace {

constexpr int kStepsPerPassMax = 20000;  // A plan that never settles is a defect: stop and say so.
constexpr std::int64_t kWalkEveryMs = 5000;  // How often the slow walk goes on,
constexpr std::size_t kWalkNames = 20;       // and by how many names.
constexpr std::int64_t kPruneEveryMs = 60000;
constexpr std::int64_t kTrimEveryMs = 5000;
constexpr std::size_t kNotesMax = 10000;
// Somebody looks at least so often. Timers stand still while the machine is suspended, so that the
// next pass after it is at most so late.
constexpr std::int64_t kLookEveryMs = 1000;
// A pause of the loop that is longer than that is a gap. A few looks that are missing are no harm
// to any deadline, and a busy machine has them.
constexpr std::int64_t kGapMs = 3000;
constexpr std::int64_t kJumpMs = 1000;      // The wall clock was set by more: see state.clock.
constexpr std::int64_t kHeldTellMs = 1000;  // Writers hold desired.db for a moment: that is none.
constexpr std::int64_t kHeldRetryMs = 20;
constexpr std::int64_t kProgressEveryMs = 1000;  // And not for steps that are over before.

// The kinds that have a name, in the order in which their steps are taken.
constexpr std::string_view kKindsOfName =
    "SELECT kind FROM temp.named WHERE name = :name ORDER BY kind";

Error defect(std::string what) {
  return {Fault::broken, Cause::other, std::move(what),
          "this is a defect of Rowlock: please report it with `rowlock plan`"};
}

}  // namespace

Result<> resume_clock(Clock& clock, Database& state, const Schema& schema) {
  for (const Row& last : TRY(state.query(*schema.script("state.last_moment")))) {
    clock.resume({last.integer("now_ms"), last.integer("wall_ms"), last.integer("boot_ms"),
                  last.text("boot")});
  }
  return Done{};
}

Controller::Controller(Parts parts)
    : parts_(std::move(parts)),
      acceptor_(parts_.state, parts_.schema, parts_.taken),
      alive_(std::make_shared<bool>(true)) {
  for (const KindText& kind : parts_.schema.kinds()) {
    plan_of_kind_[kind.name] = fmt::format(
        "SELECT kind, name, target, step, reason, due_at_ms FROM {}_plan WHERE name = :name",
        kind.name);
  }
}

Controller::~Controller() { *alive_ = false; }

Result<> Controller::begin() {
  const Moment now = parts_.world.clock().moment();
  started_at_ms_ = now.now_ms;
  looked_ = now;
  auto transaction = TRY(Transaction::begin(parts_.state));
  TRY(write_clock(now));
  for (const char* script : {"attempt.lose", "state.begin"}) {
    TRY(parts_.state.run(*parts_.schema.script(script), {{"now_ms", now.now_ms}}));
  }
  TRY(std::move(transaction).commit());
  const auto names = TRY(parts_.state.query("SELECT DISTINCT name FROM plan"));
  for (const Row& row : names) {
    names_.insert(row.text("name"));
  }
  return Done{};
}

void Controller::hint(const std::string& kind, const std::string& target) {
  note(kind + ".hint", {{"target", target}});
}

void Controller::note(const std::string& script, Values values) {
  if (notes_.size() == kNotesMax) {
    notes_.pop_front();  // state.db cannot be written; what matters is seen again once it can.
  }
  notes_.push_back({script, std::move(values)});
}

Result<> Controller::write_clock(const Moment& now) {
  return parts_.state.run(*parts_.schema.script("state.clock"), {{"now_ms", now.now_ms},
                                                                 {"started_at_ms", started_at_ms_},
                                                                 {"wall_ms", now.wall_ms},
                                                                 {"boot_ms", now.boot_ms},
                                                                 {"boot", now.boot}});
}

bool Controller::has_something_to_do(const Moment& now) const {
  const std::int64_t now_ms = now.now_ms;
  const std::int64_t set_by_ms = now.wall_ms - looked_.wall_ms - (now.boot_ms - looked_.boot_ms);
  return !names_.empty() || !finished_.empty() || !notes_.empty() || now_ms >= walk_at_ms_ ||
         now_ms - looked_.now_ms > kGapMs || std::abs(set_by_ms) > kJumpMs ||
         std::any_of(due_at_ms_.begin(), due_at_ms_.end(),
                     [&](const auto& due) { return due.second <= now_ms; });
}

Result<Controller::Pass> Controller::pass() {
  TRY(accept());
  // What others on this thread wrote, such as the secret store, may be what a step waits for.
  TRY(parts_.state.run(*parts_.schema.script("retry.freed")));
  TRY(take_dirty());
  const Moment now = parts_.world.clock().moment();
  const std::int64_t now_ms = now.now_ms;
  Pass pass;
  if (has_something_to_do(now)) {
    std::vector<Marked> to_make;
    planned_.clear();
    unpacked_.clear();
    if (auto turned = turn(now, to_make); !turned.ok()) {
      names_.insert(planned_.begin(), planned_.end());  // It was all rolled back.
      finished_.insert(finished_.end(), revoked_.begin(), revoked_.end());
      revoked_.clear();
      to_make.clear();
      // Those that are not made: no worker has a share in them.
      std::erase_if(waiting_, [](const Waiting& each) { return each.claim.use_count() == 1; });
      return turned.error();
    }
    pass.names = planned_;
    finished_ = std::move(unpacked_);
    finished_.insert(finished_.end(), revoked_.begin(), revoked_.end());
    revoked_.clear();
    notes_.clear();
    for (const Finished& unpacked : finished_) {
      log_outcome(unpacked, now_ms);
      parts_.wake();
    }
    for (Marked& marked : to_make) {
      make(std::move(marked), now_ms);
    }
  }
  write_progress(now_ms);
  looked_ = now;
  pass.due_at_ms = std::min(walk_at_ms_, now_ms + kLookEveryMs);
  if (held_since_ms_ > 0) pass.due_at_ms = std::min(*pass.due_at_ms, now_ms + kHeldRetryMs);
  for (const Telling& telling : telling_) {
    pass.due_at_ms = std::min(*pass.due_at_ms, telling.ask_at_ms);
  }
  for (const auto& [name, due_at_ms] : due_at_ms_) {
    pass.due_at_ms = std::min(*pass.due_at_ms, due_at_ms);
  }
  return pass;
}

Result<> Controller::accept() {
  if (!parts_.desired.changed() && !is_to_accept_) {
    return Done{};
  }
  const std::int64_t now_ms = parts_.world.clock().now_ms();
  const auto accepted = TRY(acceptor_.accept(parts_.desired, now_ms));
  const Acceptance& acceptance = accepted;
  TRY(tell_held(acceptance.held, now_ms));
  is_to_accept_ = is_to_accept_ && !acceptance.held.empty();
  if (acceptance.revision > 0) {
    parts_.log.info("accepted",
                    {{"revision", acceptance.revision}, {"changes", acceptance.changes}});
  }
  for (const Violation& violation : acceptance.violations) {
    parts_.log.warn(
        "refused",
        {{"table", violation.table_name}, {"row", violation.row_key}, {"err", violation.message}});
  }
  return Done{};
}

// What runs is kept running meanwhile, by the rows in force.
Result<> Controller::tell_held(const std::string& why, std::int64_t now_ms) {
  const bool is_held = !why.empty();
  if (is_held && held_since_ms_ == 0) held_since_ms_ = now_ms;
  if (is_held && (is_held_told_ || now_ms < held_since_ms_ + kHeldTellMs)) return Done{};
  if (is_held || is_held_told_) {
    auto transaction = TRY(Transaction::begin(parts_.state));
    TRY(parts_.state.run(*parts_.schema.script(is_held ? "desired.held" : "desired.free"),
                         {{"why", why}, {"since_ms", held_since_ms_}, {"now_ms", now_ms}}));
    TRY(std::move(transaction).commit());
    is_held_told_ = is_held;
    if (is_held) parts_.log.warn("desired.db cannot be read", {{"err", why}});
  }
  if (!is_held) held_since_ms_ = 0;
  return Done{};
}

// One transaction: what ended is recorded, what changed is planned, what is to be made is marked.
// Only then is it made.
Result<> Controller::turn(const Moment& now, std::vector<Marked>& to_make) {
  const std::int64_t now_ms = now.now_ms;
  Transaction transaction = TRY(Transaction::begin(parts_.state));
  TRY(write_clock(now));
  if (now_ms - looked_.now_ms > kGapMs) {
    TRY(parts_.state.run(*parts_.schema.script("state.gap"),
                         {{"now_ms", now_ms}, {"length_ms", now_ms - looked_.now_ms}}));
  }
  TRY(record_all(now_ms));
  TRY(plan_names(now_ms, to_make));
  if (now_ms >= trim_at_ms_) {
    trim_at_ms_ = now_ms + kTrimEveryMs;
    TRY(parts_.state.run(*parts_.schema.script("retention.trim"), {{"now_ms", now_ms}}));
  }
  if (now_ms >= prune_at_ms_) {
    prune_at_ms_ = now_ms + kPruneEveryMs;
    TRY(parts_.state.run(*parts_.schema.script("state.prune"), {{"now_ms", now_ms}}));
  }
  return transaction.commit();
}

Result<> Controller::record_all(std::int64_t now_ms) {
  for (const Finished& finished : finished_) {
    TRY(record(finished, now_ms));
  }
  for (const Note& note : notes_) {
    Values values = as_text(note.values);
    values.emplace_back("now_ms", now_ms);
    const std::string* script = parts_.schema.script(note.script);
    CHECK(script != nullptr);
    TRY(parts_.state.run(*script, values));
  }
  return Done{};
}

Result<> Controller::record(const Finished& finished, std::int64_t now_ms) {
  names_.insert(finished.step.name);
  if (finished.is_revoked) {
    return record_revoked(parts_.state, parts_.schema, finished.step, now_ms);
  }
  return record_outcome(parts_.state, parts_.schema, finished.step, finished.outcome,
                        finished.started_at_ms, now_ms);
}

Result<> Controller::take_dirty() {
  const auto dirty = TRY(parts_.state.query("DELETE FROM temp.dirty RETURNING name"));
  for (const Row& row : dirty) {
    names_.insert(row.text("name"));
  }
  return Done{};
}

// Plans every name that changed or is due, and a few others in their turn, until nothing is left
// but to wait.
Result<> Controller::plan_names(std::int64_t now_ms, std::vector<Marked>& to_make) {
  for (auto& [name, due_at_ms] : due_at_ms_) {
    if (due_at_ms <= now_ms) {
      names_.insert(name);
    }
  }
  if (now_ms >= walk_at_ms_) {
    walk_at_ms_ = now_ms + kWalkEveryMs;
    const auto walked = TRY(parts_.state.query(
        "SELECT DISTINCT name FROM temp.named WHERE name > :after ORDER BY name "
        "LIMIT :most",
        {{"after", walked_to_}, {"most", static_cast<std::int64_t>(kWalkNames)}}));
    for (const Row& row : walked) {
      names_.insert(row.text("name"));
    }
    walked_to_ = walked.size() < kWalkNames ? "" : walked.back().text("name");
  }
  TRY(take_dirty());
  for (int planned = 0; !names_.empty(); ++planned) {
    if (planned == kStepsPerPassMax) {
      return Error{Fault::broken, Cause::other,
                   fmt::format("the plan of {} does not settle", *names_.begin()),
                   "this is a defect of Rowlock: please report it with `rowlock plan`"};
    }
    const std::string name = *names_.begin();
    names_.erase(names_.begin());
    planned_.insert(name);
    TRY(plan_name(name, now_ms, to_make));
    TRY(take_dirty());
  }
  return Done{};
}

// By the kinds that have the name, and by no other: a kind without rows costs nothing.
Result<> Controller::plan_name(const std::string& name, std::int64_t now_ms,
                               std::vector<Marked>& to_make) {
  due_at_ms_.erase(name);
  TRY(reconsider(name, now_ms));
  for (const Row& kind : TRY(parts_.state.query(kKindsOfName, {{"name", name}}))) {
    const std::string& question = plan_of_kind_.at(kind.text("kind"));
    for (const Row& row : TRY(parts_.state.query(question, {{"name", name}}))) {
      if (row.text("step") == "wait") {
        wait_for(name, row, now_ms);
        continue;
      }
      Step step{row.text("kind"),
                row.text("name"),
                row.text("target"),
                row.text("step"),
                row.text("reason"),
                0,
                {},
                {}};
      TRY(take_step(std::move(step), now_ms, to_make));
    }
  }
  return Done{};
}

void Controller::wait_for(const std::string& name, const Row& row, std::int64_t now_ms) {
  if (!row.is_null("due_at_ms")) {
    const auto due = due_at_ms_.emplace(name, row.integer("due_at_ms")).first;
    due->second = std::max(now_ms + 1, std::min(due->second, row.integer("due_at_ms")));
  }
}

// A step that has a script after it is made by a worker; any other is a change of rows, made here
// and now.
Result<> Controller::take_step(Step step, std::int64_t now_ms, std::vector<Marked>& to_make) {
  const Values values = {{"kind", step.kind}, {"name", step.name},     {"target", step.target},
                         {"step", step.step}, {"reason", step.reason}, {"now_ms", now_ms}};
  const std::string id = step.kind + "." + step.step;
  const std::string* script = parts_.schema.script(id);
  if (script != nullptr) {
    TRY(parts_.state.run(*script, values));
  }
  if (parts_.schema.script(id + ".done") == nullptr) {
    CHECK(script != nullptr);
    return Done{};
  }
  const auto give_up = [&](const std::string& why) {
    unpacked_.push_back({step, defect(why), now_ms});
    return parts_.state.run(*parts_.schema.script("attempt.begin"), values);
  };
  if (hand_of(parts_.reconcilers, step) == nullptr) {
    return give_up("no hand is there to make the step " + id);
  }
  auto input = parts_.state.query(
      fmt::format("SELECT * FROM {}_input WHERE target = :target", step.kind), values);
  if (!input.ok()) {
    return input.error();
  }
  if (input.value().empty()) {
    return give_up(fmt::format("{}_input has no row for {}", step.kind, step.target));
  }
  step.input = input.value().front();
  TRY(parts_.state.run(*parts_.schema.script("attempt.begin"), values));
  const auto turn = TRY(parts_.state.query(*parts_.schema.script("retry.turn"), values));
  step.turn = static_cast<int>(step.input->integer("turn") + turn.front().integer("turn"));
  const auto packed = TRY(pack(step, now_ms));
  if (packed) {
    auto claim = std::make_shared<std::atomic<Claim>>(Claim::waiting);
    waiting_.push_back({step, TRY(answer_to(step, now_ms)), claim, now_ms});
    to_make.push_back({std::move(step), std::move(claim)});
  }
  return Done{};
}

// What the plan would say of the step's target if nothing were under way for it.
Result<std::string> Controller::answer_to(const Step& step, std::int64_t now_ms) {
  TRY(parts_.state.run("SAVEPOINT answer"));
  TRY(parts_.state.run(*parts_.schema.script("attempt.revoke"),
                       {{"kind", step.kind}, {"target", step.target}, {"now_ms", now_ms}}));
  std::string answer;
  const auto rows = TRY(parts_.state.query(plan_of_kind_.at(step.kind), {{"name", step.name}}));
  for (const Row& row : rows) {
    if (row.text("target") == step.target) answer += row.text("step") + ";";
  }
  TRY(parts_.state.run("ROLLBACK TO answer"));
  TRY(parts_.state.run("RELEASE answer"));
  return answer;
}

// A step that still waits for its turn in a lane is taken back when the plan has come to say
// something else: what nobody wants any more is not begun, and holds up nothing that is wanted now.
Result<> Controller::reconsider(const std::string& name, std::int64_t now_ms) {
  for (const Waiting& each : waiting_) {
    if (each.step.name != name || each.claim->load() != Claim::waiting) continue;
    if (TRY(answer_to(each.step, now_ms)) == each.answer) continue;
    Claim claim = Claim::waiting;
    if (each.claim->compare_exchange_strong(claim, Claim::revoked)) {
      revoked_.push_back({each.step, Outcome(), each.started_at_ms, true});
    }
  }
  std::erase_if(waiting_, [](const Waiting& each) { return each.claim->load() != Claim::waiting; });
  return Done{};
}

// Beside the turn: no plan looks at it, and a line that could not be written is followed by the
// next.
void Controller::write_progress(std::int64_t now_ms) {
  for (Telling& telling : telling_) {
    if (telling.ask_at_ms > now_ms) {
      continue;
    }
    telling.ask_at_ms = now_ms + kProgressEveryMs;
    if (const auto told = telling.progress->news(); told.has_value()) {
      (void)parts_.state
          .run_unsynced(*parts_.schema.script("attempt.tell"), {{"kind", telling.kind},
                                                                {"target", telling.target},
                                                                {"phase", told->phase},
                                                                {"done_bytes", told->done_bytes},
                                                                {"all_bytes", told->all_bytes}})
          .ok();
    }
  }
}

// Whether the step has all that it takes along. One that has not ends here, and is recorded in the
// next turn. An error means that state.db could not be written.
Result<bool> Controller::pack(Step& step, std::int64_t now_ms) {
  const Hand* hand = hand_of(parts_.reconcilers, step);
  CHECK(hand != nullptr);
  if (!hand->pack) return true;
  TRY(parts_.state.run("SAVEPOINT pack"));
  auto packed = hand->pack(step, now_ms);
  const bool is_packed = packed.ok();
  if (is_packed) {
    step.parcel = std::move(packed).value();
  } else {
    unpacked_.push_back({step, Outcome::of(packed.error()), now_ms});
    TRY(parts_.state.run("ROLLBACK TO pack"));
  }
  TRY(parts_.state.run("RELEASE pack"));
  return is_packed;
}

void Controller::make(Marked marked, std::int64_t now_ms) {
  Step& step = marked.step;
  if (marked.claim->load() == Claim::revoked)
    return;  // It was taken back in the turn that marked it.
  const Hand* hand = hand_of(parts_.reconcilers, step);
  CHECK(hand != nullptr);
  World& world = parts_.world;
  if (hand->tells_progress) {
    step.progress = std::make_shared<StepProgress>();
    telling_.push_back({step.kind, step.target, step.progress, now_ms + kProgressEveryMs});
  }
  ++under_way_;
  parts_.executor.submit(
      {hand->lane(step), step.name, step.turn},
      [step, hand, &world, claim = marked.claim] {
        Claim held = Claim::waiting;
        return claim->compare_exchange_strong(held, Claim::begun) ? hand->make(step, world)
                                                                  : Outcome();
      },
      [this, step, now_ms, claim = marked.claim, alive = alive_](Outcome outcome) {
        if (!*alive) {
          return;
        }
        --under_way_;
        std::erase_if(telling_,
                      [&](const Telling& telling) { return telling.progress == step.progress; });
        if (claim->load() == Claim::revoked) {
          return;  // Written down when it was taken back.
        }
        finished_.push_back({step, std::move(outcome), now_ms});
        log_outcome(finished_.back(), parts_.world.clock().now_ms());
        parts_.wake();
      });
}

void Controller::log_outcome(const Finished& finished, std::int64_t now_ms) {
  const Step& step = finished.step;
  const std::int64_t took_ms = now_ms - finished.started_at_ms;
  const std::string resource = step.kind + "/" + step.name + "/" + step.target;
  if (finished.is_revoked) {
    parts_.log.info("step taken back", {{"resource", resource}, {"step", step.step}});
  } else if (finished.outcome.kind != Outcome::Kind::done) {
    parts_.log.warn("step failed", {{"resource", resource},
                                    {"step", step.step},
                                    {"outcome", name_of(finished.outcome.kind)},
                                    {"duration_ms", took_ms},
                                    {"err", finished.outcome.detail}});
  } else if (step.step != "observe" && step.step != "look") {
    parts_.log.info("step made",
                    {{"resource", resource}, {"step", step.step}, {"duration_ms", took_ms}});
  }
}

}  // namespace rowlock
