// Read take() first. Rows come into TEMP tables with this binary's CHECKs, are compared with those
// in force, and only the difference is written: so an edit costs what it changes.
#include "controller/store/accept.h"

#include "controller/base/json.h"
#include "controller/store/brake.h"
#include "controller/store/cell_fault.h"
#include "controller/store/filled_text.h"
#include "controller/store/invariants.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace rowlock {

namespace {

constexpr std::size_t kViolationsMax = 1000;  // More are cut off; the first ones are reason enough.

Json json_of(const std::vector<Violation>& violations) {
  std::vector<Json> items;
  for (const Violation& violation : violations) {
    items.push_back(Json::object({{"table_name", Json::string(violation.table_name)},
                                  {"row_key", Json::string(violation.row_key)},
                                  {"message", Json::string(violation.message)}}));
  }
  return Json::array(std::move(items));
}

Values values_of(const Row& row) {
  Values values;
  for (std::size_t i = 0; i < row.columns().size(); ++i) {
    values.emplace_back(row.columns()[i], row.cells()[i]);
  }
  return values;
}

// Which rows are no longer there, and which are new.
struct RowChanges {
  std::vector<const Row*> gone;
  std::vector<const Row*> come;
};

std::vector<const Row*> all_of(const TableRows& rows) {
  std::vector<const Row*> all;
  for (const Row& row : rows.rows) all.push_back(&row);
  return all;
}

RowChanges changes_between(const std::vector<Row>& before, const std::vector<Row>& after) {
  // By far the most stand where they stood; of the others, some have only moved.
  RowChanges moved;
  for (std::size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
    const bool is_in_both = i < before.size() && i < after.size();
    if (is_in_both && before[i].cells() == after[i].cells()) continue;
    if (i < before.size()) moved.gone.push_back(&before[i]);
    if (i < after.size()) moved.come.push_back(&after[i]);
  }
  std::set<std::vector<Value>> gone;
  for (const Row* row : moved.gone) gone.insert(row->cells());
  std::set<std::vector<Value>> come;
  for (const Row* row : moved.come) come.insert(row->cells());
  RowChanges changes;
  for (const Row* row : moved.gone) {
    if (!come.contains(row->cells())) changes.gone.push_back(row);
  }
  for (const Row* row : moved.come) {
    if (!gone.contains(row->cells())) changes.come.push_back(row);
  }
  return changes;
}

// As messages and `refusal` name a row: the columns of its key, with '/' between.
std::string key_in_words(const std::vector<std::string>& key, const Row& row) {
  std::string words;
  for (const std::string& column : key) {
    words += (words.empty() ? "" : "/") + in_a_message(row.text(column));
  }
  return words;
}

std::string sentence(const Error& error) {
  return error.hint.empty() ? error.message : error.message + ": " + error.hint;
}

}  // namespace

Acceptor::Acceptor(Database& state, const Schema& schema, std::function<Result<>()> taken)
    : state_(state), schema_(schema), taken_(std::move(taken)) {}

Result<Acceptor::Table> Acceptor::table_of(const TableText& text) {
  const auto info = TRY(state_.query("SELECT name, pk FROM pragma_table_info(:name) ORDER BY cid",
                                     {{"name", text.name}}));
  Table table{text.name, {}, {}, {}, "", "", "", ""};
  for (const Row& column : info) {
    const std::string name = column.text("name");
    table.columns.push_back(name);
    if (column.integer("pk") > 0) table.key.push_back(name);
    if (text.sql.find("json_valid(" + name + ")") != std::string::npos) table.json.push_back(name);
  }
  const std::vector<std::string>& key = table.key;
  const std::vector<std::pair<std::string, std::string>> places = {
      {"table", text.name},
      {"columns", joined(table.columns, "\"{}\"", ", ")},
      {"key", joined(key, "\"{}\"", ", ")},
      {"key_of_n", joined(key, "n.\"{}\"", ", ")},
      {"key_of_o", joined(key, "o.\"{}\"", ", ")},
      {"o_is_n", joined(key, "o.\"{0}\" = n.\"{0}\"", " AND ")},
      // No desired table has an INTEGER PRIMARY KEY: rowids count on as rows come.
      {"same", joined(table.columns, "o.\"{0}\" IS n.\"{0}\"", " AND ")},
      {"object_of_n", joined(table.columns, "'{0}', n.\"{0}\"", ", ")},
      {"object_of_o", joined(table.columns, "'{0}', o.\"{0}\"", ", ")},
      {"assignments", joined(table.columns, "\"{0}\" = excluded.\"{0}\"", ", ")},
  };
  table.remove = fmt::format("DELETE FROM temp.incoming_{} WHERE {}", text.name,
                             joined(key, "\"{0}\" = :{0}", " AND "));
  table.differences = filled_in(*schema_.script("accept.differences"), places);
  table.brake =
      brake_text(schema_, text.name, table.columns, key, {"main.", "temp.incoming_", ":now_ms"});
  table.take = filled_in(*schema_.script("accept.take"), places);
  return table;
}

// The incoming tables carry the CHECKs of this binary, so that a file whose own ones are older or
// were taken out is held to the same rules.
Result<> Acceptor::prepare() {
  std::vector<Table> tables;
  for (const TableText& text : schema_.desired_tables()) {
    constexpr std::string_view kHead = "CREATE TABLE ";
    const std::string sql =
        "CREATE TEMP TABLE IF NOT EXISTS incoming_" + text.sql.substr(kHead.size());
    TRY(state_.run(sql));
    auto table = TRY(table_of(text));
    tables.push_back(std::move(table));
  }
  tables_ = std::move(tables);
  return Done{};
}

Result<Acceptance> Acceptor::accept(DesiredFile& file, std::int64_t now_ms) {
  if (tables_.empty()) {
    TRY(prepare());
  }
  auto incoming = file.read();
  if (!incoming.ok()) {
    if (incoming.error().fault == Fault::transient) {
      Acceptance later;
      later.held = sentence(incoming.error());
      return later;
    }
    return refuse({{"desired.db", "desired.db", sentence(incoming.error())}}, now_ms);
  }
  return take(incoming.value(), now_ms);
}

// Returns the rows that the tables would not take.
Result<std::vector<Violation>> Acceptor::copy_in(const std::map<std::string, TableRows>& incoming) {
  std::vector<Violation> unfit;
  differing_.clear();
  for (const Table& table : tables_) {
    const TableRows& rows = incoming.at(table.name);
    const auto held = held_.find(table.name);
    const bool is_same = held != held_.end() && held->second == rows;
    if (is_same) continue;
    TRY(copy_table(table, rows, unfit));
  }
  return unfit;
}

// The rows that are held and no longer there go, those that are new come; the others stay.
Result<> Acceptor::copy_table(const Table& table, const TableRows& rows,
                              std::vector<Violation>& unfit) {
  const auto known = held_.find(table.name);
  const bool can_compare = known != held_.end() && known->second.columns == rows.columns;
  const RowChanges changes =
      can_compare ? changes_between(known->second.rows, rows.rows) : RowChanges{{}, all_of(rows)};
  if (!can_compare) {
    TRY(state_.run("DELETE FROM temp.incoming_" + table.name));
  }
  for (const Row* row : changes.gone) {
    TRY(state_.run(table.remove, values_of(*row)));
  }
  const auto mark =
      TRY(state_.scalar("SELECT COALESCE(max(rowid), 0) FROM temp.incoming_" + table.name));
  differing_[table.name] = std::get<std::int64_t>(mark);
  return insert_rows(table, rows.columns, changes.come, unfit);
}

Result<> Acceptor::insert_rows(const Table& table, const std::vector<std::string>& there,
                               const std::vector<const Row*>& rows, std::vector<Violation>& unfit) {
  std::vector<std::string> columns;
  for (const std::string& column : there) {
    if (std::find(table.columns.begin(), table.columns.end(), column) != table.columns.end()) {
      columns.push_back(column);
    }
  }
  const std::string insert =
      fmt::format("INSERT INTO temp.incoming_{} ({}) VALUES ({})", table.name,
                  joined(columns, "\"{}\"", ", "), joined(columns, ":{}", ", "));
  for (const Row* row : rows) {
    TRY(insert_row(table, insert, *row, unfit));
  }
  return Done{};
}

Result<> Acceptor::insert_row(const Table& table, const std::string& insert, const Row& row,
                              std::vector<Violation>& unfit) {
  const std::size_t before = unfit.size();
  const auto refuse_column = [&](const std::string& column, const std::string& what) {
    const std::string key = key_in_words(table.key, row);
    unfit.push_back(
        {table.name, key, fmt::format("{}.{} of {} {}", table.name, column, key, what)});
  };
  for (const std::string& column : table.columns) {
    if (const auto fault = text_fault(row.at(column))) refuse_column(column, *fault);
  }
  if (unfit.size() > before) return Done{};
  auto inserted = state_.run(insert, values_of(row));
  if (!inserted.ok()) {
    constexpr std::string_view kRefused = "constraint failed: ";
    const std::string& said = inserted.error().message;
    if (said.find(kRefused) == std::string::npos) {
      return inserted.error();
    }
    unfit.push_back({table.name, key_in_words(table.key, row),
                     said.substr(said.find(kRefused) + kRefused.size())});
    return Done{};
  }
  for (const std::string& column : table.json) {
    if (const auto fault = json_fault(row.at(column))) refuse_column(column, *fault);
  }
  return Done{};
}

Result<Acceptance> Acceptor::take(const std::map<std::string, TableRows>& incoming,
                                  std::int64_t now_ms) {
  std::vector<Violation> found;
  {
    Transaction transaction = TRY(Transaction::begin(state_));
    auto revision = state_.scalar("SELECT COALESCE(max(id), 0) + 1 FROM revision");
    if (!revision.ok()) {
      return revision.error();
    }
    const Values values = {{"revision", revision.value()}, {"now_ms", now_ms}};
    const auto at = TRY(state_.data_version());
    if (at != held_at_) held_.clear();
    found = TRY(copy_in(incoming));
    for (const Table& table : tables_) {
      const auto differs = differing_.find(table.name);
      if (differs == differing_.end()) continue;
      const Values marked = {{"revision", revision.value()}, {"mark", differs->second}};
      TRY(state_.run(table.differences, marked));
    }
    const auto changes =
        TRY(state_.scalar("SELECT count(*) FROM change WHERE revision = :revision", values));
    const std::int64_t count = std::get<std::int64_t>(changes);
    if (found.empty() && count > 0) {
      found = TRY(violations(std::get<std::int64_t>(revision.value()), now_ms));
    }
    if (found.empty()) {
      if (count > 0) TRY(state_.run(*schema_.script("accept.revision"), values));
      if (taken_) TRY(taken_());
      TRY(transaction.commit());
      held_at_ = at;
      for (const auto& [name, mark] : differing_) held_[name] = incoming.at(name);
    }
    if (found.empty() && count > 0) {
      return Acceptance{std::get<std::int64_t>(revision.value()), count, {}, {}};
    }
  }  // Rolled back: what is in force stays as it is.
  return refuse(std::move(found), now_ms);
}

// Requires: the incoming tables are filled and compared. Takes them over, then asks what that
// violates.
Result<std::vector<Violation>> Acceptor::violations(std::int64_t revision, std::int64_t now_ms) {
  std::vector<Violation> found;
  const Values values = {{"revision", revision}, {"now_ms", now_ms}};
  for (const Table& table : tables_) {
    if (!differing_.contains(table.name)) continue;
    const auto braked = TRY(state_.query(table.brake, values));
    for (const Row& row : braked) {
      found.push_back({row.text("table_name"), row.text("row_key"), row.text("message")});
    }
  }
  for (const Table& table : tables_) {
    const auto differs = differing_.find(table.name);
    if (differs == differing_.end()) continue;
    TRY(state_.run(table.take, {{"mark", differs->second}}));
  }
  const auto rows = TRY(state_.query(
      "SELECT table_name, row_key, message FROM violation_now ORDER BY table_name, row_key, "
      "message"));
  for (const Row& row : rows) {
    found.push_back({row.text("table_name"), row.text("row_key"), row.text("message")});
  }
  const auto broken = TRY(broken_invariants(state_));
  for (const BrokenInvariant& each : broken) {
    found.push_back({"invariant", each.name, each.sentence()});
  }
  if (found.size() > kViolationsMax) {
    found.resize(kViolationsMax);
  }
  return found;
}

// Also called without any violation: the file is as it was in force, and an earlier refusal is
// over.
Result<Acceptance> Acceptor::refuse(std::vector<Violation> violations, std::int64_t now_ms) {
  if (violations.empty()) {
    auto refused = state_.scalar("SELECT count(*) FROM refusal");
    if (refused.ok() && std::get<std::int64_t>(refused.value()) == 0) {
      return Acceptance{};
    }
  }
  auto transaction = TRY(Transaction::begin(state_));
  TRY(state_.run(*schema_.script("accept.refused"),
                 {{"violations", json_of(violations).text()}, {"now_ms", now_ms}}));
  TRY(std::move(transaction).commit());
  return Acceptance{0, 0, std::move(violations), {}};
}

}  // namespace rowlock
