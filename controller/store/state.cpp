// Opening state.db for the controller: versions, migrations, tables, views.
#include "controller/store/home.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

Result<> migrate(Database& state, const Schema& schema, std::int64_t now_ms) {
  auto version = state.scalar("PRAGMA user_version");
  if (!version.ok()) {
    return version.error();
  }
  const std::int64_t at = std::get<std::int64_t>(version.value());
  const auto newest = static_cast<std::int64_t>(schema.migrations().size());
  if (at > newest) {
    return Error{
        Fault::rejected, Cause::other,
        fmt::format("{} has version {}, this rowlock knows up to {}", state.path(), at, newest),
        "use the newer rowlock that wrote it, or put back the copy from before the upgrade"};
  }
  if (at > 0 && at < newest) {
    const std::string copy = fmt::format("{}.before-{}", state.path(), newest);
    if (auto copied = state.run("VACUUM INTO :copy", {{"copy", copy}}); !copied.ok()) {
      return copied.error();
    }
  }
  for (const Migration& migration : schema.migrations()) {
    if (migration.version <= at) {
      continue;
    }
    auto transaction = Transaction::begin(state);
    if (!transaction.ok()) {
      return transaction.error();
    }
    if (auto run = state.run(migration.sql, {{"now_ms", now_ms}}); !run.ok()) {
      return run.error();
    }
    if (auto set = state.run(fmt::format("PRAGMA user_version={}", migration.version)); !set.ok()) {
      return set.error();
    }
    if (auto committed = std::move(transaction).value().commit(); !committed.ok()) {
      return committed.error();
    }
  }
  return Done{};
}

// The columns that a table has in the file and in the binary's text alike.
std::string columns_in_both(Database& state, const std::string& old_table,
                            const std::string& new_table) {
  auto value = state.scalar(
      "SELECT group_concat('\"' || o.name || '\"', ', ') FROM pragma_table_info(:old) AS o "
      "JOIN pragma_table_info(:new) AS n USING (name)",
      {{"old", old_table}, {"new", new_table}});
  return value.ok() ? text_of(value.value()) : "";
}

// Makes the table, or rebuilds it when its text in the file is another one.
Result<> make_table(Database& state, const TableText& table) {
  auto stored = state.scalar("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :name",
                             {{"name", table.name}});
  if (!stored.ok()) {
    return stored.error();
  }
  std::string wanted = table.sql.substr(0, table.sql.rfind(';'));
  if (text_of(stored.value()) == wanted) {
    return Done{};
  }
  if (text_of(stored.value()).empty()) {
    return state.run(table.sql);
  }
  // Ids go on counting where they were: names of containers are made of them.
  auto last_id =
      state.scalar("SELECT seq FROM sqlite_sequence WHERE name = :name", {{"name", table.name}});
  if (!last_id.ok()) {
    return last_id.error();
  }
  const std::string old = "old_" + table.name;
  if (auto moved = state.run(
          fmt::format("DROP TABLE IF EXISTS {1}; CREATE TEMP TABLE {1} AS SELECT * FROM {0}; "
                      "DROP TABLE {0};\n{2}",
                      table.name, old, table.sql));
      !moved.ok()) {
    return moved.error();
  }
  const std::string columns = columns_in_both(state, old, table.name);
  return state.run(
      fmt::format(
          "INSERT INTO {0} ({2}) SELECT {2} FROM {1}; DROP TABLE {1};"
          "DELETE FROM sqlite_sequence WHERE name = :name AND :seq IS NOT NULL;"
          "INSERT INTO sqlite_sequence (name, seq) SELECT :name, :seq WHERE :seq IS NOT NULL;",
          table.name, old, columns),
      {{"name", table.name}, {"seq", last_id.value()}});
}

Result<> make_home(Database& state, std::int64_t now_ms) {
  return state.run(
      "INSERT OR IGNORE INTO home (only, id, created_at_ms) VALUES (1, (SELECT group_concat(substr("
      "'abcdefghjkmnpqrstuvwxyz23456789', 1 + abs(random() % 31), 1), '') FROM "
      "json_each('[1,2,3,4,5,6]')), :now_ms);"
      "INSERT OR IGNORE INTO clock (only, now_ms, started_at_ms) VALUES (1, :now_ms, :now_ms);",
      {{"now_ms", now_ms}});
}

Result<> make_all(Database& state, const Schema& schema, std::int64_t now_ms) {
  auto views = state.query("SELECT name FROM sqlite_schema WHERE type = 'view'");
  if (!views.ok()) {
    return views.error();
  }
  std::string script;
  for (const Row& view : views.value()) {
    script += fmt::format("DROP VIEW \"{}\";\n", view.text("name"));
  }
  if (auto dropped = state.run(script); !dropped.ok()) {
    return dropped.error();
  }
  for (const auto* tables : {&schema.desired_tables(), &schema.observed_tables()}) {
    for (const TableText& table : *tables) {
      if (auto made = make_table(state, table); !made.ok()) {
        return made.error();
      }
    }
  }
  if (auto made = state.run(schema.indexes() + schema.views(false) + schema.fill()); !made.ok()) {
    return made.error();
  }
  return make_home(state, now_ms);
}

}  // namespace

Result<Database> open_state(const std::string& path, const Schema& schema, std::int64_t now_ms) {
  auto opened = Database::open(path, Database::Mode::create);
  if (!opened.ok()) {
    return opened.error();
  }
  Database state = std::move(opened).value();
  for (const char* setting :
       {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA recursive_triggers=OFF",
        "PRAGMA application_id=1380931404", "PRAGMA cache_size=-32000"}) {
    if (auto set = state.query(setting); !set.ok()) {
      return set.error();
    }
  }
  if (auto migrated = migrate(state, schema, now_ms); !migrated.ok()) {
    return migrated.error();
  }
  auto transaction = Transaction::begin(state);
  if (!transaction.ok()) {
    return transaction.error();
  }
  if (auto made = make_all(state, schema, now_ms); !made.ok()) {
    return made.error();
  }
  if (auto committed = std::move(transaction).value().commit(); !committed.ok()) {
    return committed.error();
  }
  // A name may stand there twice: a trigger that an upsert sets off obeys the upsert, and its own
  // OR IGNORE is lost.
  const std::string wake = "CREATE TEMP TABLE dirty (name TEXT NOT NULL);\n" + schema.wake();
  if (auto made = state.run(wake); !made.ok()) {
    return made.error();
  }
  return state;
}

}  // namespace rowlock
