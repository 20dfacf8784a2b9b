// REFERENCES clauses, read from the text of the tables line by line: each stands on the line of its
// column, or in a comment there when SQLite itself is to know nothing of it.
#include "controller/store/reference_text.h"

#include "controller/base/check.h"

#include <fmt/format.h>

#include <map>

namespace rowlock {

namespace {

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \n");
  const std::size_t end = text.find_last_not_of(" \n");
  return begin == std::string_view::npos ? "" : std::string(text.substr(begin, end - begin + 1));
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// What stands between brackets after `head`, taken apart at its commas.
std::vector<std::string> list_after(std::string_view text, std::string_view head) {
  std::vector<std::string> items;
  const std::size_t at = text.find(head);
  if (at == std::string_view::npos) return items;
  std::string_view inside = text.substr(at + head.size());
  inside = inside.substr(inside.find('(') + 1);
  inside = inside.substr(0, inside.find(')'));
  while (!inside.empty()) {
    const std::size_t comma = std::min(inside.find(','), inside.size());
    items.push_back(trimmed(inside.substr(0, comma)));
    inside.remove_prefix(std::min(comma + 1, inside.size()));
  }
  return items;
}

std::string row_key(const Reference& reference) {
  std::string key;
  for (const std::string& column : reference.key) {
    key += (key.empty() ? "c." : " || '/' || c.") + column;
  }
  return key;
}

// By the table that is named, in the order of the tables that name it.
std::map<std::string, std::vector<Reference>> by_target(const std::vector<Reference>& all) {
  std::map<std::string, std::vector<Reference>> grouped;
  for (const Reference& reference : all) grouped[reference.to_table].push_back(reference);
  return grouped;
}

std::string guard_of(const Reference& each, const char* name, const char* event) {
  return fmt::format(
      "CREATE TRIGGER {0}_{5}_{1} BEFORE {6} ON {0}\n"
      "WHEN NEW.{1} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {2} WHERE {3} = NEW.{1}) BEGIN\n"
      "  SELECT RAISE(ABORT, '{0}.{1} names no {2}: INSERT INTO {2} first, or correct the name');\n"
      "END;\n",
      each.table, each.column, each.to_table, each.to_column, "", name, event);
}

// In one trigger for each table that is named: SQLite does not say in which order it runs several.
std::string followers_of(const std::string& table, const std::vector<Reference>& references) {
  std::string deletes;
  std::string renames;
  std::string column;
  for (const Reference& each : references) {
    column = each.to_column;
    if (each.deletes) {
      deletes += fmt::format("  DELETE FROM {} WHERE {} = OLD.{};\n", each.table, each.column,
                             each.to_column);
    }
    if (each.renames) {
      renames += fmt::format("  UPDATE {0} SET {1} = NEW.{2} WHERE {1} = OLD.{2};\n", each.table,
                             each.column, each.to_column);
    }
  }
  std::string all;
  if (!deletes.empty()) {
    all += fmt::format("CREATE TRIGGER {0}_delete AFTER DELETE ON {0} BEGIN\n{1}END;\n", table,
                       deletes);
  }
  if (!renames.empty()) {
    all += fmt::format(
        "CREATE TRIGGER {0}_rename AFTER UPDATE OF {1} ON {0} WHEN NEW.{1} <> OLD.{1} BEGIN\n"
        "{2}END;\n",
        table, column, renames);
  }
  return all;
}

}  // namespace

std::vector<Reference> references_of(const std::string& table, std::string_view sql) {
  std::vector<Reference> references;
  // A key of one column stands on its line, and is the name.
  const std::size_t own_key = sql.find("PRIMARY KEY (");
  const std::vector<std::string> key = own_key == std::string_view::npos
                                           ? std::vector<std::string>{"name"}
                                           : list_after(sql.substr(own_key), "PRIMARY KEY ");
  constexpr std::string_view kClause = "REFERENCES ";
  std::string column;
  for (const std::string& line : lines_of(sql)) {
    const std::string text = trimmed(line);
    const bool begins_a_column =
        line.starts_with("  ") && line.size() > 2 && line[2] != ' ' && line[2] != '-';
    if (begins_a_column) column = text.substr(0, text.find(' '));
    const std::size_t at = text.find(kClause);
    if (at == std::string::npos) continue;
    const std::string clause = text.substr(at + kClause.size());
    const std::string to_table = clause.substr(0, clause.find(' '));
    references.push_back({table, column, to_table, list_after(clause, to_table).front(),
                          clause.find("ON DELETE CASCADE") != std::string::npos,
                          clause.find("ON UPDATE CASCADE") != std::string::npos, key});
  }
  return references;
}

std::string reference_guards(const std::vector<Reference>& references) {
  std::string guards;
  for (const Reference& each : references) {
    guards += guard_of(each, "needs", "INSERT");
    guards += guard_of(each, "keeps", fmt::format("UPDATE OF {}", each.column).c_str());
  }
  for (const auto& [table, all] : by_target(references)) guards += followers_of(table, all);
  return guards;
}

std::string reference_violations(const std::vector<Reference>& references) {
  std::string parts;
  for (const Reference& each : references) {
    if (!each.deletes) continue;  // What to do about it depends: its own file says so.
    parts += fmt::format(
        "{}SELECT '{}' AS table_name,\n       {} AS row_key,\n"
        "       '{} names the {} ''' || c.{} || ''', which does not exist' AS message\n"
        "FROM {} AS c\nWHERE c.{} NOT IN (SELECT {} FROM {})",
        parts.empty() ? "" : "\nUNION ALL\n", each.table, row_key(each), each.table, each.to_table,
        each.column, each.table, each.column, each.to_column, each.to_table);
  }
  if (parts.empty()) return "";
  return fmt::format(
      "-- Rows that name what is not there, although no guard has seen it.\n"
      "CREATE VIEW reference_violation AS\n{};\n\n",
      parts);
}

std::string reference_wakes(const std::vector<Reference>& references) {
  std::string wakes;
  for (const Reference& each : references) {
    const std::string name = fmt::format("wake_{}_{}", each.table, each.column);
    wakes += fmt::format(
        "CREATE TEMP TRIGGER {0}_insert AFTER INSERT ON {1} WHEN NEW.{2} IS NOT NULL BEGIN\n"
        "  INSERT INTO dirty VALUES (NEW.{2});\nEND;\n"
        "CREATE TEMP TRIGGER {0}_update AFTER UPDATE ON {1} BEGIN\n"
        "  INSERT INTO dirty SELECT NEW.{2} WHERE NEW.{2} IS NOT NULL;\n"
        "  INSERT INTO dirty SELECT OLD.{2} WHERE OLD.{2} <> NEW.{2} OR NEW.{2} IS NULL AND "
        "OLD.{2} IS NOT NULL;\n"
        "END;\n"
        "CREATE TEMP TRIGGER {0}_delete AFTER DELETE ON {1} WHEN OLD.{2} IS NOT NULL BEGIN\n"
        "  INSERT INTO dirty VALUES (OLD.{2});\nEND;\n",
        name, each.table, each.column);
  }
  return wakes;
}

}  // namespace rowlock
