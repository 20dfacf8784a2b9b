// That the walk over random worlds leaves no kind out: over all seeds every kind has rows, and
// every value of a fact that a rule names was seen.
#include "tests/schema/random_world.h"

#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

using rowlock::PlanWorld;
using rowlock::random_rows;
using rowlock::Row;

namespace {

constexpr unsigned int kSeeds = 1200;
constexpr std::string_view kFact = "_fact";

// The facts of each kind, by the columns of its rules.
std::map<std::string, std::vector<std::string>> facts_by_kind(PlanWorld& world) {
  std::map<std::string, std::vector<std::string>> kinds;
  for (const std::string& view : world.schema().view_names()) {
    if (!view.ends_with(kFact)) {
      continue;
    }
    const std::string kind = view.substr(0, view.size() - kFact.size());
    const auto columns = world.rows().query(
        fmt::format("SELECT name FROM pragma_table_info('{}_rule') WHERE name NOT IN ('step', "
                    "'reason')",
                    kind));
    cr_assert(columns.ok());
    for (const Row& column : columns.value()) {
      kinds[kind].push_back(column.text("name"));
    }
  }
  return kinds;
}

// The values of facts that rules name and no world has shown yet; those of a kind are looked for
// until there are none.
class Missing {
 public:
  explicit Missing(PlanWorld& world) : world_(world), kinds_(facts_by_kind(world)) {
    cr_assert(!kinds_.empty());
    for (const auto& [kind, facts] : kinds_) {
      for (const std::string& fact : facts) {
        const auto named = world.rows().query(
            fmt::format("SELECT DISTINCT {0} FROM {1}_rule WHERE {0} <> '*'", fact, kind));
        cr_assert(named.ok());
        for (const Row& row : named.value()) {
          values_[kind].emplace(fact, row.text(fact));
        }
      }
      cr_assert(values_.contains(kind), "%s has no rules", kind.c_str());
    }
  }

  void look() {
    for (auto& [kind, values] : values_) {
      if (values.empty()) {
        continue;
      }
      const std::vector<std::string>& facts = kinds_.at(kind);
      const auto rows = world_.rows().query(
          fmt::format("SELECT DISTINCT {} FROM {}_fact", fmt::join(facts, ", "), kind));
      cr_assert(rows.ok(), "%s", kind.c_str());
      for (const Row& row : rows.value()) {
        for (const std::string& fact : facts) {
          values.erase({fact, row.text(fact)});
        }
      }
    }
  }

  bool is_empty() const {
    return std::all_of(values_.begin(), values_.end(),
                       [](const auto& kind) { return kind.second.empty(); });
  }

  void expect_none() const {
    for (const auto& [kind, values] : values_) {
      for (const auto& [fact, value] : values) {
        cr_expect(false, "no random world has a %s whose %s is %s", kind.c_str(), fact.c_str(),
                  value.c_str());
      }
    }
  }

 private:
  PlanWorld& world_;
  std::map<std::string, std::vector<std::string>> kinds_;
  std::map<std::string, std::set<std::pair<std::string, std::string>>> values_;  // By kind.
};

}  // namespace

Test(random_world, every_kind_has_rows_and_every_value_of_every_fact_is_seen) {
  PlanWorld world;
  Missing missing(world);

  for (unsigned int seed = 0; seed < kSeeds && !missing.is_empty(); ++seed) {
    world.sql("SAVEPOINT rows");
    const auto inserted = world.rows().run(random_rows(seed));
    cr_assert(inserted.ok(), "seed %u: %s", seed,
              inserted.ok() ? "" : inserted.error().message.c_str());
    missing.look();
    world.sql("ROLLBACK TO rows; RELEASE rows");
  }

  missing.expect_none();
}
