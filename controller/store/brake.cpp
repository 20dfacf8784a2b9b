// Fills in one script; what it asks is to be read there.
#include "controller/store/brake.h"

#include "controller/base/check.h"
#include "controller/store/filled_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {

namespace {

// Whether the rows that the row o belongs to are still there.
std::string owner_is_there(const Schema& schema, const std::string& table,
                           const std::string& to_be) {
  std::string all;
  for (const Reference& each : schema.references()) {
    if (each.table != table || !each.deletes) continue;
    all += fmt::format("{}o.\"{}\" IN (SELECT \"{}\" FROM {}{})", all.empty() ? "" : " AND ",
                       each.column, each.to_column, to_be, each.to_table);
  }
  return all.empty() ? "1" : all;
}

}  // namespace

std::string brake_text(const Schema& schema, const std::string& table,
                       const std::vector<std::string>& columns, const std::vector<std::string>& key,
                       const BrakeSides& sides) {
  std::vector<std::string> others;
  std::copy_if(columns.begin(), columns.end(), std::back_inserter(others),
               [&](const std::string& column) {
                 return std::find(key.begin(), key.end(), column) == key.end();
               });
  const std::string* script = schema.script("accept.brake");
  CHECK(script != nullptr);
  return filled_in(*script, {{"table", table},
                             {"old", sides.in_force + table},
                             {"new", sides.to_be + table},
                             {"old_approval", sides.in_force + "approval"},
                             {"new_approval", sides.to_be + "approval"},
                             {"now", sides.now},
                             {"key_of_o", joined(key, "o.\"{}\"", ", ")},
                             {"o_is_n", joined(key, "o.\"{0}\" = n.\"{0}\"", " AND ")},
                             {"others_of_o", joined(others, "'{0}', o.\"{0}\"", ", ")},
                             {"others_of_n", joined(others, "'{0}', n.\"{0}\"", ", ")},
                             {"stays_with_its_owner", owner_is_there(schema, table, sides.to_be)}});
}

}  // namespace rowlock
