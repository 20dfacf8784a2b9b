// Tables and columns are read from the schema and the file at hand, never listed here. Rows are
// JSON objects, so that a row written before a column was added can still be put back.
#include "controller/cli/edit/revert_rows.h"

#include "controller/base/json.h"
#include "controller/cli/call.h"
#include "controller/history/change_pack.h"
#include "controller/store/came_with.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {
namespace {

struct Column {
  std::string name;
  std::int64_t place_in_key = 0;  // From 1; 0: not part of it.
};

Result<std::vector<Column>> columns_of(Database& database, const Schema& schema,
                                       const std::string& table) {
  const auto rows =
      TRY(database.query(Call::script_in(schema, "cli.revert_columns"), {{"table", table}}));
  std::vector<Column> columns;
  for (const Row& row : rows) {
    columns.push_back({row.text("name"), row.integer("pk")});
  }
  return columns;
}

std::vector<Column> key_of(std::vector<Column> columns) {
  std::erase_if(columns, [](const Column& column) { return column.place_in_key == 0; });
  std::sort(columns.begin(), columns.end(), [](const Column& left, const Column& right) {
    return left.place_in_key < right.place_in_key;
  });
  return columns;
}

// `format` filled in for each name, with `between` in between.
std::string listed(const std::vector<Column>& columns, const char* format, const char* between) {
  std::string text;
  for (const Column& column : columns) {
    text += (text.empty() ? "" : between) + fmt::format(fmt::runtime(format), column.name);
  }
  return text;
}

// A desired table, as far as it concerns the job.
struct Scope {
  std::string table;
  std::vector<Column> columns;
  std::int64_t job_at = 0;  // Which part of the key, from 0, names the job.
};

Result<std::vector<Scope>> scopes_of(Database& database, const Schema& schema,
                                     const std::string& job) {
  std::vector<Scope> scopes;
  for (const TableText& table : schema.desired_tables()) {
    const auto columns = TRY(columns_of(database, schema, table.name));
    const std::string naming = table.name == "job" ? "name" : "job";
    const auto& all = columns;
    const auto found = std::find_if(all.begin(), all.end(), [&](const Column& column) {
      return column.name == naming && column.place_in_key > 0;
    });
    if (table.name != "approval" && (job.empty() || found != all.end())) {
      scopes.push_back({table.name, all, found == all.end() ? 0 : found->place_in_key - 1});
    }
  }
  return scopes;
}

// The members of a JSON object as text, by name.
std::map<std::string, std::string> members_of(const std::string& object) {
  std::map<std::string, std::string> members;
  if (auto parsed = Json::parse(object); parsed.ok()) {
    for (const auto& [name, value] : parsed.value().members()) {
      members.emplace(name, value.text());
    }
  }
  return members;
}

struct FieldChange {
  std::string column;
  std::string before;
  std::string after;
};

std::vector<FieldChange> fields_between(const std::string& before, const std::string& after) {
  const auto old_members = members_of(before);
  std::vector<FieldChange> fields;
  for (const auto& [name, value] : members_of(after)) {
    const auto old = old_members.find(name);
    if (old != old_members.end() && old->second != value) {
      fields.push_back({name, old->second, value});
    }
  }
  return fields;
}

Result<> delete_row(Database& desired, const Schema& schema, const RowChange& change) {
  const auto columns = TRY(columns_of(desired, schema, change.table));
  std::string is_row;
  for (const Column& column : key_of(columns)) {
    is_row += fmt::format("{}\"{}\" = json_extract(:key, '$[{}]')", is_row.empty() ? "" : " AND ",
                          column.name, column.place_in_key - 1);
  }
  return desired.run(fmt::format(fmt::runtime(Call::script_in(schema, "cli.revert_delete")),
                                 fmt::arg("table", change.table), fmt::arg("is_row", is_row)),
                     {{"key", change.row_key}});
}

// Columns that the row did not have then keep what they have; a row that is not there any more gets
// what they say of older rows, or their default.
Result<> put_row(Database& desired, const Schema& schema, const RowChange& change) {
  std::vector<Column> columns = TRY(columns_of(desired, schema, change.table));
  const auto members = members_of(change.after);
  std::string older;
  std::string older_values;
  for (const Column& column : columns) {
    const std::string_view before = before_it_came(change.table, column.name);
    if (before.empty() || members.contains(column.name)) continue;
    older += fmt::format(", \"{}\"", column.name);
    older_values += fmt::format(", {}", before);
  }
  std::erase_if(columns, [&](const Column& column) { return !members.contains(column.name); });
  std::vector<Column> others = columns;
  std::erase_if(others, [](const Column& column) { return column.place_in_key > 0; });
  const std::string set = listed(others, "\"{0}\" = excluded.\"{0}\"", ", ");
  return desired.run(
      fmt::format(fmt::runtime(Call::script_in(schema, "cli.revert_put")),
                  fmt::arg("table", change.table),
                  fmt::arg("columns", listed(columns, "\"{}\"", ", ") + older),
                  fmt::arg("values",
                           listed(columns, "json_extract(:row, '$.\"{}\"')", ", ") + older_values),
                  fmt::arg("key", listed(key_of(columns), "\"{}\"", ", ")),
                  fmt::arg("otherwise", set.empty() ? "NOTHING" : "UPDATE SET " + set)),
      {{"row", change.after}});
}

}  // namespace

Result<RowSet> rows_in(Database& database, const Schema& schema, const std::string& job) {
  const auto scopes = TRY(scopes_of(database, schema, job));
  RowSet rows;
  for (const Scope& scope : scopes) {
    if (scope.columns.empty()) {
      return Error{Fault::broken, Cause::other,
                   fmt::format("{} has no table {}", database.path(), scope.table),
                   "make the file anew with `rowlock revert --all`"};
    }
    const char* const of_job = job.empty()            ? "true"
                               : scope.table == "job" ? "name = :job"
                                                      : "job = :job";
    const auto found = TRY(database.query(
        fmt::format(fmt::runtime(Call::script_in(schema, "cli.revert_rows_now")),
                    fmt::arg("key", listed(key_of(scope.columns), "\"{}\"", ", ")),
                    fmt::arg("members", listed(scope.columns, "'{0}', \"{0}\"", ", ")),
                    fmt::arg("table", scope.table), fmt::arg("of_job", of_job)),
        {{"job", job}}));
    for (const Row& row : found) {
      rows[{scope.table, row.text("row_key")}] = row.text("object");
    }
  }
  return rows;
}

namespace {

// Where the job stands in the keys of each table that it has rows in; of no job, every table.
using Places = std::map<std::string, std::int64_t>;

Places places_in(const std::vector<Scope>& scopes) {
  Places places;
  for (const Scope& scope : scopes) places[scope.table] = scope.job_at;
  return places;
}

bool is_of(const Places& places, const std::string& job, const PastChange& change) {
  const auto place = places.find(change.table);
  if (place == places.end()) return false;
  if (job.empty()) return true;
  const auto key = Json::parse(change.row_key);
  if (!key.ok()) return false;
  const std::vector<Json> parts = key.value().items();
  const auto at = static_cast<std::size_t>(place->second);
  return at < parts.size() && parts[at].as_string() == job;
}

}  // namespace

// From the rows that are accepted back, change by change: what is older than the revision need not
// be known.
Result<RowSet> rows_at(Database& state, const Schema& schema, const std::string& job,
                       std::int64_t revision) {
  const Places places = places_in(TRY(scopes_of(state, schema, job)));
  RowSet rows = TRY(rows_in(state, schema, job));
  TRY(walk_back(state, schema, revision, job, [&](const PastChange& change) {
    if (!is_of(places, job, change)) return true;
    if (change.before.empty()) {
      rows.erase({change.table, change.row_key});
    } else {
      rows[{change.table, change.row_key}] = change.before;
    }
    return true;
  }));
  return rows;
}

Result<std::int64_t> last_change_of(Database& state, const Schema& schema, const std::string& job) {
  const Places places = places_in(TRY(scopes_of(state, schema, job)));
  std::int64_t last = 0;
  TRY(walk_back(state, schema, 0, job, [&](const PastChange& change) {
    if (is_of(places, job, change)) last = change.revision;
    return last == 0;
  }));
  return last;
}

std::vector<RowChange> changes_between(const RowSet& now, const RowSet& then) {
  std::vector<RowChange> changes;
  for (const auto& [where, object] : now) {
    if (!then.contains(where)) {
      changes.push_back({where.first, where.second, object, ""});
    }
  }
  for (const auto& [where, object] : then) {
    const auto old = now.find(where);
    if (old == now.end()) {
      changes.push_back({where.first, where.second, "", object});
    } else if (!fields_between(old->second, object).empty()) {
      changes.push_back({where.first, where.second, old->second, object});
    }
  }
  return changes;
}

// A job takes its rows along when it is deleted, and has to be there before they are.
Result<> make_changes(Database& desired, const Schema& schema,
                      const std::vector<RowChange>& changes) {
  for (const bool deletes : {true, false}) {
    for (const bool of_jobs : {true, false}) {
      for (const RowChange& change : changes) {
        if (change.after.empty() != deletes || (change.table == "job") != of_jobs) {
          continue;
        }
        TRY(deletes ? delete_row(desired, schema, change) : put_row(desired, schema, change));
      }
    }
  }
  return Done{};
}

std::vector<std::vector<Value>> told(const std::vector<RowChange>& changes) {
  std::vector<std::vector<Value>> rows;
  for (const RowChange& change : changes) {
    if (change.before.empty()) {
      rows.push_back({change.table, change.row_key, "insert", {}, {}, change.after});
    } else if (change.after.empty()) {
      rows.push_back({change.table, change.row_key, "delete", {}, change.before, {}});
    } else {
      for (const FieldChange& field : fields_between(change.before, change.after)) {
        rows.push_back(
            {change.table, change.row_key, "update", field.column, field.before, field.after});
      }
    }
  }
  return rows;
}

}  // namespace rowlock
