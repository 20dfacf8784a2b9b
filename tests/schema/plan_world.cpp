// Does what the controller does, with its scripts and hands but without its loop: steps are made
// one after the other, in the order of the plan, until it is empty or waits.
#include "tests/schema/plan_world.h"

#include "controller/outcome.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr int kTurnsMax = 500;
constexpr std::int64_t kSliceMs = 1000;

Database opened(const Schema& schema, std::int64_t now_ms) {
  auto state = open_state(":memory:", schema, now_ms);
  cr_assert(state.ok(), "%s", state.ok() ? "" : state.error().message.c_str());
  return std::move(state).value();
}

}  // namespace

PlanWorld::PlanWorld(const std::vector<std::string>& nodes) : rows_(opened(schema_, now_ms_)) {
  for (const std::string& node : nodes) {
    const std::string endpoint = "unix:///" + node;
    auto engine = std::make_unique<FakeRuntime>();
    for (const char* image : {"good:1", "good:2", "good:3"}) {
      engine->add_image(image);
    }
    engine->set_faults([this, node](const std::string&, const std::string&) {
      return lost_.contains(node) ? FaultPlan::unreachable : FaultPlan::none;
    });
    engines_.emplace(endpoint, std::move(engine));
    sql(fmt::format("INSERT INTO node (name, endpoint) VALUES ('{}', '{}')", node, endpoint));
  }
  set_clock();
}

void PlanWorld::edit(const std::string& text) {
  sql("DELETE FROM temp.dirty");
  sql(text);
  run(*schema_.script("retry.freed"), {});
}

void PlanWorld::sql(const std::string& statements) { run(statements, {}); }

void PlanWorld::run(const std::string& script, const Values& values) {
  const auto done = rows_.run(script, values);
  cr_assert(done.ok(), "%s: %s", script.c_str(), done.ok() ? "" : done.error().message.c_str());
}

std::string PlanWorld::text(const std::string& query) {
  const auto rows = rows_.query(query, {{"now_ms", now_ms_}});
  cr_assert(rows.ok(), "%s: %s", query.c_str(), rows.ok() ? "" : rows.error().message.c_str());
  std::string all;
  for (const Row& row : rows.value()) {
    all += all.empty() ? "" : " ";
    for (std::size_t i = 0; i < row.cells().size(); ++i) {
      all += (i == 0 ? "" : "|") + text_of(row.cells()[i]);
    }
  }
  return all;
}

std::int64_t PlanWorld::number(const std::string& query) { return std::stoll(text(query)); }

std::string PlanWorld::steps() {
  return text(
      "SELECT kind || '.' || step FROM plan WHERE step <> 'wait' ORDER BY kind, name, target");
}

void PlanWorld::set_clock() {
  run(*schema_.script("state.clock"), {{"now_ms", now_ms_},
                                       {"started_at_ms", started_at_ms_},
                                       {"wall_ms", now_ms_ + wall_ahead_ms_},
                                       {"boot_ms", now_ms_},
                                       {"boot", ""}});
}

bool PlanWorld::turn() {
  const auto planned = rows_.query(
      "SELECT kind, name, target, step, reason, due_at_ms FROM plan WHERE step <> 'wait' ORDER BY "
      "kind, name, target");
  cr_assert(planned.ok());
  for (const Row& row : planned.value()) {
    make(row);
    if (after_step) {
      after_step();
    }
  }
  return !planned.value().empty();
}

void PlanWorld::settle() {
  int turns = 0;
  while (turn()) {
    cr_assert(++turns < kTurnsMax, "the plan has no end: %s",
              text("SELECT kind, name, target, step, reason FROM plan").c_str());
  }
}

void PlanWorld::pass_time_without_settling(std::int64_t ms) {
  now_ms_ += ms;
  set_clock();
}

void PlanWorld::set_wall_clock(std::int64_t by_ms) {
  wall_ahead_ms_ += by_ms;
  set_clock();
}

void PlanWorld::look_away(std::int64_t ms) {
  pass_time_without_settling(ms);
  run(*schema_.script("state.gap"), {{"now_ms", now_ms_}, {"length_ms", ms}});
}

void PlanWorld::begin_again() {
  started_at_ms_ = now_ms_;
  set_clock();
  run(*schema_.script("attempt.lose"), {{"now_ms", now_ms_}});
  run(*schema_.script("state.begin"), {{"now_ms", now_ms_}});
}

void PlanWorld::pass_time(std::int64_t ms) {
  for (std::int64_t left = ms; left > 0; left -= kSliceMs) {
    pass_time_without_settling(std::min(left, kSliceMs));
    settle();
  }
}

// As the controller does it: the step's script, then, when the world is to be changed, the
// reconciler and the script of the outcome.
void PlanWorld::make(const Row& planned) {
  Step step{planned.text("kind"),
            planned.text("name"),
            planned.text("target"),
            planned.text("step"),
            planned.text("reason"),
            {},
            {}};
  Values values = {{"kind", step.kind},       {"name", step.name},     {"target", step.target},
                   {"step", step.step},       {"reason", step.reason}, {"now_ms", now_ms_},
                   {"started_at_ms", now_ms_}};
  const std::string id = step.kind + "." + step.step;
  if (const std::string* script = schema_.script(id); script != nullptr) {
    run(*script, values);
  }
  if (schema_.script(id + ".done") == nullptr) {
    return;
  }
  const auto input =
      rows_.query(fmt::format("SELECT * FROM {}_input WHERE target = :target", step.kind), values);
  cr_assert(input.ok() && !input.value().empty(), "no input for %s %s", id.c_str(),
            step.target.c_str());
  step.input = input.value().front();
  run(*schema_.script("attempt.begin"), values);
  const Hand* hand = hand_of(reconcilers_, step);
  cr_assert(hand != nullptr, "no hand for %s", id.c_str());
  const Packed packed = hand->pack ? hand->pack(step, now_ms_) : Packed(nullptr);
  if (packed.ok()) {
    step.parcel = packed.value();
  }
  const Outcome outcome = packed.ok() ? hand->make(step, *this) : Outcome::of(packed.error());
  const auto recorded = record_outcome(rows_, schema_, step, outcome, now_ms_, now_ms_);
  cr_assert(recorded.ok(), "%s", recorded.ok() ? "" : recorded.error().message.c_str());
  // A look within the millisecond of a step says nothing about what the step did; no two happen in
  // one moment here.
  pass_time_without_settling(1);
}

void PlanWorld::check_passes(const std::string& job, const std::string& check) {
  const auto live =
      rows_.query("SELECT id FROM instance WHERE job = :job AND run = 1", {{"job", job}});
  for (const Row& row : live.value()) {
    run(*schema_.script("check.passed"), {{"instance", row.integer("id")},
                                          {"name", check},
                                          {"detail", "HTTP 200"},
                                          {"now_ms", now_ms_}});
  }
}

void PlanWorld::check_fails(const std::string& job, const std::string& check,
                            const std::string& detail) {
  const auto live =
      rows_.query("SELECT id FROM instance WHERE job = :job AND run = 1", {{"job", job}});
  for (const Row& row : live.value()) {
    run(*schema_.script("check.failed"), {{"instance", row.integer("id")},
                                          {"name", check},
                                          {"detail", detail},
                                          {"now_ms", now_ms_}});
  }
}

void PlanWorld::check_unasked(const std::string& job, const std::string& check) {
  const auto live =
      rows_.query("SELECT id FROM instance WHERE job = :job AND run = 1", {{"job", job}});
  for (const Row& row : live.value()) {
    run(*schema_.script("check.unasked"), {{"instance", row.integer("id")},
                                           {"name", check},
                                           {"detail", "too many open files"},
                                           {"now_ms", now_ms_}});
  }
}

void PlanWorld::look_at_nodes() {
  pass_time_without_settling(1);
  sql("UPDATE node_state SET hinted = 1");
  settle();
}

void PlanWorld::lose(const std::string& node) {
  lost_.insert(node);
  look_at_nodes();
}

void PlanWorld::find(const std::string& node) {
  lost_.erase(node);
  look_at_nodes();
}

FakeRuntime& PlanWorld::engine(const std::string& node) { return *engines_.at("unix:///" + node); }

ContainerRuntime& PlanWorld::runtime(const std::string&, const std::string& endpoint) {
  return *engines_.at(endpoint);
}

}  // namespace rowlock
