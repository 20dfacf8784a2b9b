// Bringing desired.db, which is the engineer's, up to the shape that this binary knows. Only ever
// done when a person asks for it, after a copy was made; the controller reads an older file as it
// is.
#include "controller/store/came_with.h"
#include "controller/store/home.h"

#include <fmt/format.h>

#include <set>
#include <unistd.h>

namespace rowlock {

namespace {

// What stands on a table and would go with it: the engineer's own triggers and indexes.
Result<std::string> own_additions(Database& desired, const std::string& guard) {
  const auto rows = TRY(desired.query(
      "SELECT name, sql FROM sqlite_schema WHERE type IN ('trigger', 'index') AND sql IS NOT NULL "
      "ORDER BY name"));
  std::string additions;
  for (const Row& row : rows) {
    if (guard.find("TRIGGER " + row.text("name") + " ") == std::string::npos) {
      additions += row.text("sql") + ";\n";
    }
  }
  return additions;
}

Result<> drop_all_triggers(Database& desired) {
  const auto rows = TRY(desired.query("SELECT name FROM sqlite_schema WHERE type = 'trigger'"));
  for (const Row& row : rows) {
    TRY(desired.run(fmt::format("DROP TRIGGER \"{}\"", row.text("name"))));
  }
  return Done{};
}

// The table as this binary has it, with the rows that are in it.
Result<bool> renew_table(Database& desired, const TableText& table) {
  const auto stored =
      TRY(desired.scalar("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :name",
                         {{"name", table.name}}));
  const std::string text = text_of(stored);
  if (text == table.sql.substr(0, table.sql.rfind(';'))) {
    return false;
  }
  if (text.empty()) {
    auto made = desired.run(table.sql);
    return made.ok() ? Result<bool>(true) : made.error();
  }
  const std::string old = "old_" + table.name;
  TRY(desired.run(
      fmt::format("CREATE TEMP TABLE {1} AS SELECT * FROM main.{0}; DROP TABLE main.{0};\n{2}",
                  table.name, old, table.sql)));
  TRY(fill_from_old(desired, table.name, old));
  auto dropped = desired.run(fmt::format("DROP TABLE temp.{}", old));
  return dropped.ok() ? Result<bool>(true) : dropped.error();
}

Result<std::vector<std::string>> renew_all(Database& desired, const Schema& schema) {
  std::vector<std::string> renewed;
  const auto additions = TRY(own_additions(desired, schema.guard()));
  TRY(drop_all_triggers(desired));
  for (const TableText& table : schema.desired_tables()) {
    const auto changed = TRY(renew_table(desired, table));
    if (changed) {
      renewed.push_back(table.name);
    }
  }
  const auto indexes = TRY(desired.query("SELECT name FROM sqlite_schema WHERE type = 'index'"));
  for (const Row& index : indexes) {
    if (additions.find(" " + index.text("name") + " ") != std::string::npos) {
      // It stood on a table that was not renewed.
      TRY(desired.run(fmt::format("DROP INDEX \"{}\"", index.text("name"))));
    }
  }
  TRY(desired.run(schema.guard() + additions +
                  fmt::format("PRAGMA user_version={};", kDesiredVersion)));
  return renewed;
}

}  // namespace

Result<Upgrade> upgrade_desired(const Home& home, const Schema& schema) {
  Database desired = TRY(open_desired_for_editing(home));
  const auto version = TRY(desired.scalar("PRAGMA user_version"));
  Upgrade upgrade;
  upgrade.from = std::get<std::int64_t>(version);
  if (upgrade.from == kDesiredVersion) {
    return upgrade;
  }
  upgrade.copy = fmt::format("{}.version-{}", home.desired_path(), upgrade.from);
  if (access(upgrade.copy.c_str(), F_OK) == 0) {
    return Error{Fault::rejected, Cause::other, fmt::format("{} is there already", upgrade.copy),
                 "it is the copy of an earlier upgrade: move it away first"};
  }
  TRY(desired.run("VACUUM INTO :copy", {{"copy", upgrade.copy}}));
  Transaction transaction = TRY(Transaction::begin(desired));
  auto renewed = renew_all(desired, schema);
  if (!renewed.ok()) {
    unlink(upgrade.copy.c_str());
    return Error{Fault::rejected, Cause::other,
                 fmt::format("{} stays as it is: {}", home.desired_path(), renewed.error().message),
                 renewed.error().hint};
  }
  upgrade.tables = renewed.value();
  TRY(transaction.commit());
  return upgrade;
}

}  // namespace rowlock
