// The exhaustive walk: every combination of facts of every kind matches exactly one rule, and every
// rule leads to a step that something can make, whatever comes of it.
#include "tests/schema/plan_world.h"
#include "tests/schema/random_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using Kind = rowlock::KindText;
using rowlock::Outcome;
using rowlock::PlanWorld;
using rowlock::Row;

namespace {

// What each kind declares that its facts can be.
const std::vector<Kind>& kinds_of(const PlanWorld& world) { return world.schema().kinds(); }

// A query of every combination of a kind's facts.
std::string domain_of(const Kind& kind) {
  return fmt::format("SELECT * FROM {}_domain", kind.name);
}

// Whether a rule's facts are those of the domain; '*' stands for every value.
std::string rule_matches(const Kind& kind) {
  std::string matches;
  for (const auto& [fact, values] : kind.facts) {
    matches +=
        fmt::format("{0}(r.{1} = '*' OR r.{1} = d.{1})", matches.empty() ? "" : " AND ", fact);
  }
  return matches;
}

std::string facts_of(const Kind& kind, const std::string& alias) {
  std::string facts;
  for (const auto& [fact, values] : kind.facts) {
    facts += fmt::format("{}{}.{}", facts.empty() ? "" : ", ", alias, fact);
  }
  return facts;
}

}  // namespace

Test(rules, every_kind_with_rules_is_walked) {
  PlanWorld world;

  for (const std::string& view : world.schema().view_names()) {
    if (view.ends_with("_rule")) {
      const bool is_known =
          std::any_of(kinds_of(world).begin(), kinds_of(world).end(),
                      [&](const Kind& kind) { return kind.name + "_rule" == view; });
      cr_expect(is_known, "%s is not walked", view.c_str());
    }
  }
}

Test(rules, every_combination_of_facts_matches_exactly_one_rule) {
  PlanWorld world;

  for (const Kind& kind : kinds_of(world)) {
    const std::string odd = world.text(
        fmt::format("SELECT {0}, (SELECT count(*) FROM {1}_rule AS r WHERE {2}) AS rules FROM "
                    "({3}) AS d WHERE rules <> 1",
                    facts_of(kind, "d"), kind.name, rule_matches(kind), domain_of(kind)));
    cr_expect(odd.empty(), "%s: none or several rules for %s", kind.name.c_str(), odd.c_str());
  }
}

Test(rules, every_rule_can_be_reached) {
  PlanWorld world;

  for (const Kind& kind : kinds_of(world)) {
    const std::string odd = world.text(fmt::format(
        "SELECT {0} FROM {1}_rule AS r WHERE NOT EXISTS (SELECT 1 FROM ({3}) AS d WHERE {2})",
        facts_of(kind, "r"), kind.name, rule_matches(kind), domain_of(kind)));
    cr_expect(odd.empty(), "%s: no facts for %s", kind.name.c_str(), odd.c_str());
  }
}

Test(rules, the_cases_are_the_rules_written_out) {
  PlanWorld world;

  for (const Kind& kind : kinds_of(world)) {
    if (world.number(fmt::format("SELECT count(*) FROM sqlite_schema WHERE name = '{}_case'",
                                 kind.name)) == 0) {
      continue;
    }
    const std::string ruled =
        fmt::format("SELECT {0}, r.step, r.reason FROM ({1}) AS d JOIN {2}_rule AS r ON {3}",
                    facts_of(kind, "d"), domain_of(kind), kind.name, rule_matches(kind));
    const std::string cases = fmt::format("SELECT {}, r.step, r.reason FROM {}_case AS r",
                                          facts_of(kind, "r"), kind.name);
    cr_expect(world.text(ruled + " EXCEPT " + cases).empty(),
              "%s: a rule is missing from the cases", kind.name.c_str());
    cr_expect(world.text(cases + " EXCEPT " + ruled).empty(), "%s: a case has no rule",
              kind.name.c_str());
  }
}

Test(rules, every_step_can_be_made_and_every_outcome_recorded) {
  PlanWorld world;
  const auto has = [&](const std::string& script) {
    return world.schema().script(script) != nullptr;
  };

  for (const Kind& kind : kinds_of(world)) {
    const auto steps =
        world.rows().query(fmt::format("SELECT DISTINCT step FROM {}_rule", kind.name));
    cr_assert(steps.ok());
    for (const Row& row : steps.value()) {
      const std::string step = row.text("step");
      const std::string id = kind.name + "." + step;
      const bool changes_the_world = has(id + ".done");
      cr_expect(step == "none" || step == "wait" || has(id) || changes_the_world,
                "nothing makes %s", id.c_str());
      for (const auto outcome : {Outcome::Kind::done, Outcome::Kind::transient,
                                 Outcome::Kind::rejected, Outcome::Kind::broken}) {
        const std::string result(rowlock::name_of(outcome));
        const auto scripts = rowlock::scripts_after(kind.name, step, {outcome, result, "", {}});
        const bool is_tried_again = outcome != Outcome::Kind::done && kind.retry_from_ms > 0;
        cr_expect(!changes_the_world || is_tried_again ||
                      std::any_of(scripts.begin(), scripts.end(), has),
                  "nothing records that %s ended %s", id.c_str(), result.c_str());
      }
    }
  }
}

Test(rules, every_reason_that_is_shown_has_words) {
  PlanWorld world;

  for (const Kind& kind : kinds_of(world)) {
    const std::string odd = world.text(
        fmt::format("SELECT {}, step FROM {}_rule AS r WHERE step <> 'none' AND reason = ''",
                    facts_of(kind, "r"), kind.name));
    cr_expect(odd.empty(), "%s: no reason for %s", kind.name.c_str(), odd.c_str());
  }
}

Test(rules, whatever_the_rows_the_facts_lie_within_the_domain_and_the_plan_is_the_same_twice) {
  PlanWorld world;

  for (unsigned int seed = 0; seed < 300; ++seed) {
    world.sql("SAVEPOINT rows");
    const auto inserted = world.rows().run(rowlock::random_rows(seed));
    cr_assert(inserted.ok(), "seed %u: %s", seed,
              inserted.ok() ? "" : inserted.error().message.c_str());

    for (const Kind& kind : kinds_of(world)) {
      const std::string odd = world.text(
          fmt::format("SELECT {0} FROM {1}_fact AS f EXCEPT SELECT {2} FROM ({3}) AS d",
                      facts_of(kind, "f"), kind.name, facts_of(kind, "d"), domain_of(kind)));
      cr_expect(odd.empty(), "seed %u: %s says %s", seed, kind.name.c_str(), odd.c_str());
    }
    const std::string plan =
        "SELECT kind, name, target, step, reason, due_at_ms FROM plan ORDER BY 1, 2, 3, 4";
    cr_expect(world.text(plan) == world.text(plan), "seed %u: another plan for the same rows",
              seed);
    const std::string twice = world.text(
        "SELECT kind, target FROM plan WHERE kind <> 'job' GROUP BY 1, 2 HAVING count(*) > 1");
    cr_expect(twice.empty(), "seed %u: two steps at once for %s", seed, twice.c_str());
    const std::string late = world.text(
        "SELECT kind, name, target, reason FROM plan WHERE due_at_ms <= (SELECT now_ms FROM "
        "clock)");
    cr_expect(late.empty(), "seed %u: waits for a moment that has passed: %s", seed, late.c_str());
    world.sql("ROLLBACK TO rows; RELEASE rows");
  }
}
