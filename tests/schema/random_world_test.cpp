// That the walk over random worlds leaves no kind out: over all seeds every kind has rows, and
// every value of a fact that a rule names was seen.
#include "tests/schema/random_world.h"

#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <map>
#include <set>

using rowlock::PlanWorld;
using rowlock::random_rows;
using rowlock::Row;

namespace {

constexpr unsigned int kSeeds = 300;
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

// Distinct combinations of facts seen, then the values of each.
class Seen {
 public:
  explicit Seen(PlanWorld& world) : world_(world), kinds_(facts_by_kind(world)) {}

  void look() {
    for (const auto& [kind, facts] : kinds_) {
      const auto rows = world_.rows().query(
          fmt::format("SELECT DISTINCT {} FROM {}_fact", fmt::join(facts, ", "), kind));
      cr_assert(rows.ok(), "%s", kind.c_str());
      for (const Row& row : rows.value()) {
        for (const std::string& fact : facts) {
          values_[kind][fact].insert(row.text(fact));
        }
      }
    }
  }

  void expect_all() {
    cr_assert(!kinds_.empty());
    for (const auto& [kind, facts] : kinds_) {
      cr_expect(values_.contains(kind), "no random world has a row of %s", kind.c_str());
      for (const std::string& fact : facts) {
        expect_all_of(kind, fact);
      }
    }
  }

 private:
  void expect_all_of(const std::string& kind, const std::string& fact) {
    const auto named = world_.rows().query(
        fmt::format("SELECT DISTINCT {0} FROM {1}_rule WHERE {0} <> '*'", fact, kind));
    cr_assert(named.ok());
    for (const Row& row : named.value()) {
      const std::string value = row.text(fact);
      cr_expect(values_[kind][fact].contains(value), "no random world has a %s whose %s is %s",
                kind.c_str(), fact.c_str(), value.c_str());
    }
  }

  PlanWorld& world_;
  std::map<std::string, std::vector<std::string>> kinds_;
  std::map<std::string, std::map<std::string, std::set<std::string>>> values_;
};

}  // namespace

Test(random_world, every_kind_has_rows_and_every_value_of_every_fact_is_seen) {
  PlanWorld world;
  Seen seen(world);

  for (unsigned int seed = 0; seed < kSeeds; ++seed) {
    world.sql("SAVEPOINT rows");
    const auto inserted = world.rows().run(random_rows(seed));
    cr_assert(inserted.ok(), "seed %u: %s", seed,
              inserted.ok() ? "" : inserted.error().message.c_str());
    seen.look();
    world.sql("ROLLBACK TO rows; RELEASE rows");
  }

  seen.expect_all();
}
