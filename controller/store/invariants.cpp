// What is left of the time when one begins is all that it has: those that come after a slow one are
// not asked, and then the edit is refused.
#include "controller/store/invariants.h"

#include <fmt/format.h>

#include <chrono>

namespace rowlock {

namespace {

constexpr int kRowsMax = 1000;

using Steady = std::chrono::steady_clock;

// A row as the engineer would name it.
std::string in_words(const Row& row) {
  std::string words;
  for (std::size_t i = 0; i < row.columns().size() && i < 4; ++i) {
    words += (words.empty() ? "" : ", ") + row.columns()[i] + " " + text_of(row.cells()[i]);
  }
  return words;
}

}  // namespace

std::string BrokenInvariant::sentence() const {
  return row.has_value() ? fmt::format("invariant {}: {} ({})", name, message, in_words(*row))
                         : fmt::format("invariant {} cannot be asked: its query {}", name, message);
}

Result<std::vector<BrokenInvariant>> broken_invariants(Database& database) {
  const auto all = TRY(database.query("SELECT name, query, message FROM invariant ORDER BY name"));
  const auto end = Steady::now() + std::chrono::milliseconds(kInvariantsTimeMs);
  std::vector<BrokenInvariant> broken;
  for (const Row& invariant : all) {
    const std::string name = invariant.text("name");
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Steady::now()).count();
    if (left <= 0) {
      broken.push_back({name,
                        fmt::format("had no time left of the {} ms that all invariants have "
                                    "together: narrow the queries",
                                    kInvariantsTimeMs),
                        {}});
      continue;
    }
    auto rows = database.guarded_query(invariant.text("query"), kRowsMax, static_cast<int>(left));
    if (!rows.ok()) {
      const Error& error = rows.error();
      broken.push_back({name, error.message + (error.hint.empty() ? "" : "; " + error.hint), {}});
    } else if (!rows.value().empty()) {
      broken.push_back({name, invariant.text("message"), rows.value().front()});
    }
  }
  return broken;
}

}  // namespace rowlock
