// Bringing desired.db, which is the engineer's, up to the shape that this binary knows. Only ever
// done when a person asks for it, after a copy was made; the controller reads an older file as it
// is.
#include "controller/store/home.h"

#include <fmt/format.h>

#include <set>
#include <unistd.h>

namespace rowlock {

namespace {

// What stands on a table and would go with it: the engineer's own triggers and indexes.
Result<std::string> own_additions(Database& desired, const std::string& guard) {
  auto rows = desired.query(
      "SELECT name, sql FROM sqlite_schema WHERE type IN ('trigger', 'index') AND sql IS NOT NULL "
      "ORDER BY name");
  if (!rows.ok()) {
    return rows.error();
  }
  std::string additions;
  for (const Row& row : rows.value()) {
    if (guard.find("TRIGGER " + row.text("name") + " ") == std::string::npos) {
      additions += row.text("sql") + ";\n";
    }
  }
  return additions;
}

Result<> drop_all_triggers(Database& desired) {
  auto rows = desired.query("SELECT name FROM sqlite_schema WHERE type = 'trigger'");
  if (!rows.ok()) {
    return rows.error();
  }
  for (const Row& row : rows.value()) {
    if (auto dropped = desired.run(fmt::format("DROP TRIGGER \"{}\"", row.text("name")));
        !dropped.ok()) {
      return dropped.error();
    }
  }
  return Done{};
}

// The table as this binary has it, with the rows that are in it. A column that is new takes its
// default.
Result<bool> renew_table(Database& desired, const TableText& table) {
  auto stored =
      desired.scalar("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :name",
                     {{"name", table.name}});
  if (!stored.ok()) {
    return stored.error();
  }
  const std::string text = text_of(stored.value());
  if (text == table.sql.substr(0, table.sql.rfind(';'))) {
    return false;
  }
  if (text.empty()) {
    auto made = desired.run(table.sql);
    return made.ok() ? Result<bool>(true) : made.error();
  }
  const std::string old = "old_" + table.name;
  if (auto moved = desired.run(
          fmt::format("CREATE TEMP TABLE {1} AS SELECT * FROM main.{0}; DROP TABLE main.{0};\n{2}",
                      table.name, old, table.sql));
      !moved.ok()) {
    return moved.error();
  }
  auto columns = desired.scalar(
      "SELECT group_concat('\"' || o.name || '\"', ', ') FROM pragma_table_info(:old) AS o "
      "JOIN pragma_table_info(:new) AS n USING (name)",
      {{"old", old}, {"new", table.name}});
  if (!columns.ok()) {
    return columns.error();
  }
  auto filled = desired.run(
      fmt::format("INSERT INTO main.{0} ({2}) SELECT {2} FROM temp.{1}; DROP TABLE temp.{1};",
                  table.name, old, text_of(columns.value())));
  return filled.ok() ? Result<bool>(true) : filled.error();
}

Result<std::vector<std::string>> renew_all(Database& desired, const Schema& schema) {
  std::vector<std::string> renewed;
  auto additions = own_additions(desired, schema.guard());
  if (!additions.ok()) {
    return additions.error();
  }
  if (auto dropped = drop_all_triggers(desired); !dropped.ok()) {
    return dropped.error();
  }
  for (const TableText& table : schema.desired_tables()) {
    auto changed = renew_table(desired, table);
    if (!changed.ok()) {
      return changed.error();
    }
    if (changed.value()) {
      renewed.push_back(table.name);
    }
  }
  auto indexes = desired.query("SELECT name FROM sqlite_schema WHERE type = 'index'");
  if (!indexes.ok()) {
    return indexes.error();
  }
  for (const Row& index : indexes.value()) {
    if (additions.value().find(" " + index.text("name") + " ") != std::string::npos) {
      // It stood on a table that was not renewed.
      if (auto dropped = desired.run(fmt::format("DROP INDEX \"{}\"", index.text("name")));
          !dropped.ok()) {
        return dropped.error();
      }
    }
  }
  if (auto guarded = desired.run(schema.guard() + additions.value() +
                                 fmt::format("PRAGMA user_version={};", kDesiredVersion));
      !guarded.ok()) {
    return guarded.error();
  }
  return renewed;
}

}  // namespace

Result<Upgrade> upgrade_desired(const Home& home, const Schema& schema) {
  auto opened = open_desired_for_editing(home);
  if (!opened.ok()) {
    return opened.error();
  }
  Database desired = std::move(opened).value();
  auto version = desired.scalar("PRAGMA user_version");
  if (!version.ok()) {
    return version.error();
  }
  Upgrade upgrade;
  upgrade.from = std::get<std::int64_t>(version.value());
  if (upgrade.from == kDesiredVersion) {
    return upgrade;
  }
  upgrade.copy = fmt::format("{}.version-{}", home.desired_path(), upgrade.from);
  if (access(upgrade.copy.c_str(), F_OK) == 0) {
    return Error{Fault::rejected, Cause::other, fmt::format("{} is there already", upgrade.copy),
                 "it is the copy of an earlier upgrade: move it away first"};
  }
  if (auto copied = desired.run("VACUUM INTO :copy", {{"copy", upgrade.copy}}); !copied.ok()) {
    return copied.error();
  }
  auto begun = Transaction::begin(desired);
  if (!begun.ok()) {
    return begun.error();
  }
  Transaction transaction = std::move(begun).value();
  auto renewed = renew_all(desired, schema);
  if (!renewed.ok()) {
    unlink(upgrade.copy.c_str());
    return Error{Fault::rejected, Cause::other,
                 fmt::format("{} stays as it is: {}", home.desired_path(), renewed.error().message),
                 renewed.error().hint};
  }
  upgrade.tables = renewed.value();
  if (auto committed = transaction.commit(); !committed.ok()) {
    return committed.error();
  }
  return upgrade;
}

}  // namespace rowlock
