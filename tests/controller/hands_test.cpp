// The hands held against the schema: neither may know a step that the other does not.
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

using namespace rowlock;

namespace {

constexpr std::string_view kDone = ".done";

// "KIND.STEP" of every script KIND.STEP.done; KIND.done is for all steps of a kind that has it.
std::set<std::string> steps_that_touch_the_world(const Schema& schema) {
  std::set<std::string> steps;
  for (const auto& [name, script] : schema.scripts()) {
    if (name.ends_with(kDone) && std::count(name.begin(), name.end(), '.') == 2) {
      steps.insert(name.substr(0, name.size() - kDone.size()));
    }
  }
  return steps;
}

std::multiset<std::string> steps_that_have_hands(const Reconcilers& reconcilers) {
  std::multiset<std::string> steps;
  for (const auto& [kind, hands] : reconcilers) {
    for (const Hand& hand : hands) {
      steps.insert(fmt::format("{}.{}", kind, hand.step));
    }
  }
  return steps;
}

// Those of `these` that are not among `others`, one after the other.
template <typename These, typename Others>
std::string missing(const These& these, const Others& others) {
  std::vector<std::string> left;
  std::set_difference(these.begin(), these.end(), others.begin(), others.end(),
                      std::back_inserter(left));
  return fmt::format("{}", fmt::join(left, " "));
}

}  // namespace

Test(hands, every_step_that_touches_the_world_has_one_and_no_other_has) {
  PlanWorld world;
  const Reconcilers reconcilers = all_reconcilers(world.secrets(), world.rows(), world.schema());

  const auto planned = steps_that_touch_the_world(world.schema());
  const auto made = steps_that_have_hands(reconcilers);

  cr_expect(!planned.empty());
  const std::string without = missing(planned, made);
  cr_expect(without.empty(), "without a hand: %s", without.c_str());
  const std::string odd = missing(made, planned);
  cr_expect(odd.empty(), "not a step of the schema with a script .done, or listed twice: %s",
            odd.c_str());
}

// What it wrote when it was marked would stay as if it were under way.
Test(hands, what_a_step_writes_before_it_is_made_is_undone_when_it_is_taken_back) {
  const std::set<std::string> kLasting = {
      "backup.expire",  // Half of it may be gone since an earlier try: it is seen through.
      "backup_schedule.schedule",  // What is not worked out yet is worked out again.
      "database.sweep",            // A row to keep what is learned in.
      "delivery.deliver",          // It is written again until it is whole.
      "node.observe",              // It is looked at again within seconds, hinted or not.
      "object_store.look",         // A row to keep what is learned in.
      "proxy.observe",             // As a node.
      "proxy.save",                // What was saved last is another column.
      "restore.discard",           // Its row is gone, and it is seen through.
      "restore.restore",           // Where to, as the row says now.
      "route_target.admit",        // What the proxy is to be told now.
      "trust.read",                // A row to keep what is learned in.
  };
  PlanWorld world;
  const Schema& schema = world.schema();

  for (const std::string& step : steps_that_touch_the_world(schema)) {
    if (schema.script(step) == nullptr) continue;
    const bool is_undone = schema.script(step + ".revoked") != nullptr;
    cr_expect(is_undone != kLasting.contains(step),
              "%s is to have a script %s.revoked, or to say here why not", step.c_str(),
              step.c_str());
  }
}

Test(hands, every_one_has_a_lane_and_can_make_its_step) {
  PlanWorld world;

  for (const auto& [kind, hands] : all_reconcilers(world.secrets(), world.rows(), world.schema())) {
    for (const Hand& hand : hands) {
      const std::string id = fmt::format("{}.{}", kind, hand.step);
      cr_expect(hand.lane != nullptr, "%s", id.c_str());
      cr_expect(hand.make != nullptr, "%s", id.c_str());
    }
  }
}

Test(hands, are_found_by_kind_and_step) {
  PlanWorld world;
  const Reconcilers reconcilers = all_reconcilers(world.secrets(), world.rows(), world.schema());
  const auto found = [&](const std::string& kind, const std::string& step) {
    return hand_of(reconcilers, Step{kind, "web", "1", step, "", {}, {}});
  };

  cr_assert(found("instance", "create") != nullptr);
  cr_expect(found("instance", "create")->step == "create");
  cr_expect(found("instance", "paint") == nullptr);
  cr_expect(found("boat", "create") == nullptr);
}
