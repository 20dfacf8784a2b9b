// Opening state.db for the controller: versions, migrations, tables, views.
#include "controller/store/came_with.h"
#include "controller/store/home.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

Result<> migrate(Database& state, const Schema& schema, std::int64_t now_ms) {
  const auto version = TRY(state.scalar("PRAGMA user_version"));
  const std::int64_t at = std::get<std::int64_t>(version);
  const auto newest = static_cast<std::int64_t>(schema.migrations().size());
  if (at > newest) {
    return Error{
        Fault::rejected, Cause::other,
        fmt::format("{} has version {}, this rowlock knows up to {}", state.path(), at, newest),
        "use the newer rowlock that wrote it, or put back the copy from before the upgrade"};
  }
  if (at > 0 && at < newest) {
    const std::string copy = fmt::format("{}.before-{}", state.path(), newest);
    TRY(state.run("VACUUM INTO :copy", {{"copy", copy}}));
  }
  for (const Migration& migration : schema.migrations()) {
    if (migration.version <= at) {
      continue;
    }
    auto transaction = TRY(Transaction::begin(state));
    TRY(state.run(migration.sql, {{"now_ms", now_ms}}));
    TRY(state.run(fmt::format("PRAGMA user_version={}", migration.version)));
    TRY(std::move(transaction).commit());
  }
  return Done{};
}

// What stands in migrations/ is what nothing can be made from again: history, secrets, backups.
Result<> check_kept_tables(Database& state, const Schema& schema) {
  Database whole = TRY(Database::open(":memory:", Database::Mode::create));
  for (const Migration& migration : schema.migrations()) {
    TRY(whole.run(migration.sql, {{"now_ms", std::int64_t{0}}}));
  }
  const auto kept = TRY(whole.query("SELECT name FROM sqlite_schema WHERE type = 'table'"));
  for (const Row& table : kept) {
    const auto found =
        TRY(state.scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = :name",
                         {{"name", table.text("name")}}));
    if (std::get<std::int64_t>(found) == 1) continue;
    return Error{
        Fault::rejected, Cause::other,
        fmt::format("{} has no table {} any more, and what stood in it cannot be made again",
                    state.path(), table.text("name")),
        "put back a copy of state.db, such as `rowlock recover` takes from a backup of the home"};
  }
  return Done{};
}

// Makes the table, or rebuilds it when its text in the file is another one.
Result<> make_table(Database& state, const TableText& table) {
  const auto stored =
      TRY(state.scalar("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :name",
                       {{"name", table.name}}));
  std::string wanted = table.sql.substr(0, table.sql.rfind(';'));
  if (text_of(stored) == wanted) {
    return Done{};
  }
  if (text_of(stored).empty()) {
    return state.run(table.sql);
  }
  // Ids go on counting where they were: names of containers are made of them.
  const auto last_id = TRY(
      state.scalar("SELECT seq FROM sqlite_sequence WHERE name = :name", {{"name", table.name}}));
  const std::string old = "old_" + table.name;
  TRY(
      state.run(fmt::format("DROP TABLE IF EXISTS {1}; CREATE TEMP TABLE {1} AS SELECT * FROM {0}; "
                            "DROP TABLE {0};\n{2}",
                            table.name, old, table.sql)));
  TRY(fill_from_old(state, table.name, old));
  return state.run(
      fmt::format(
          "DROP TABLE {};"
          "DELETE FROM sqlite_sequence WHERE name = :name AND :seq IS NOT NULL;"
          "INSERT INTO sqlite_sequence (name, seq) SELECT :name, :seq WHERE :seq IS NOT NULL;",
          old),
      {{"name", table.name}, {"seq", last_id}});
}

Result<> make_home(Database& state, std::int64_t now_ms) {
  return state.run(
      "INSERT OR IGNORE INTO home (only, id, created_at_ms) VALUES (1, (SELECT group_concat(substr("
      "'abcdefghjkmnpqrstuvwxyz23456789', 1 + abs(random() % 31), 1), '') FROM "
      "json_each('[1,2,3,4,5,6]')), :now_ms);"
      "INSERT OR IGNORE INTO clock (only, now_ms, started_at_ms, watched_from_ms, wall_ms) VALUES "
      "(1, :now_ms, :now_ms, :now_ms, :now_ms);"
      // One that an older Rowlock wrote had only the wall clock.
      "UPDATE clock SET wall_ms = now_ms WHERE wall_ms = 0;",
      {{"now_ms", now_ms}});
}

Result<> make_all(Database& state, const Schema& schema, std::int64_t now_ms) {
  const auto views = TRY(state.query("SELECT name FROM sqlite_schema WHERE type = 'view'"));
  std::string script;
  for (const Row& view : views) {
    script += fmt::format("DROP VIEW \"{}\";\n", view.text("name"));
  }
  TRY(state.run(script));
  for (const auto* tables : {&schema.desired_tables(), &schema.observed_tables()}) {
    for (const TableText& table : *tables) {
      TRY(make_table(state, table));
    }
  }
  TRY(state.run(schema.indexes() + schema.views(false) + schema.fill()));
  return make_home(state, now_ms);
}

}  // namespace

Result<Database> open_state(const std::string& path, const Schema& schema, std::int64_t now_ms) {
  Database state = TRY(Database::open(path, Database::Mode::create));
  for (const char* setting :
       {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA recursive_triggers=OFF",
        "PRAGMA application_id=1380931404", "PRAGMA cache_size=-32000",
        // After it has grown, it is cut to that as soon as nobody reads what is in it.
        "PRAGMA journal_size_limit=16777216"}) {
    TRY(state.query(setting));
  }
  TRY(migrate(state, schema, now_ms));
  TRY(check_kept_tables(state, schema));
  auto transaction = TRY(Transaction::begin(state));
  TRY(make_all(state, schema, now_ms));
  TRY(std::move(transaction).commit());
  // A name may stand there twice: a trigger that an upsert sets off obeys the upsert, and its own
  // OR IGNORE is lost.
  const std::string wake =
      "CREATE TEMP TABLE dirty (name TEXT NOT NULL);\n"
      "CREATE TEMP TABLE named (name TEXT, kind TEXT, PRIMARY KEY (name, kind)) WITHOUT ROWID;\n" +
      schema.wake();
  TRY(state.run(wake));
  state.forget_compiled();
  return state;
}

}  // namespace rowlock
