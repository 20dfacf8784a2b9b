// The text that is made of a kind's declaration. It carries comments, since it is read in state.db
// and in `rowlock schema KIND` like any other.
#include "controller/store/kind_text.h"

#include "controller/base/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

namespace rowlock {

namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = text.find_first_not_of(" \n", at);
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(text.find_first_of(" \n", begin), text.size());
    words.emplace_back(text.substr(begin, end - begin));
    at = end;
  }
  return words;
}

// "2 s", "500 ms", "5 min", "1 h"
std::int64_t milliseconds(const std::string& number, const std::string& unit) {
  const std::int64_t count = std::atol(number.c_str());
  const std::int64_t each = unit == "ms"    ? 1
                            : unit == "s"   ? 1000
                            : unit == "min" ? 60000
                            : unit == "h"   ? 3600000
                                            : 0;
  CHECK(count > 0 && each > 0);
  return count * each;
}

// TABLE.COLUMN, TABLE.COLUMN(CONDITION), or a name in quotes.
NamingColumn naming_column(const std::string& word) {
  if (word.starts_with('\'')) {
    return {"", word.substr(1, word.size() - 2), ""};
  }
  const std::size_t dot = word.find('.');
  CHECK(dot != std::string::npos);
  const std::size_t open = word.find('(');
  return {word.substr(0, dot), word.substr(dot + 1, open - dot - 1),
          open == std::string::npos ? "" : word.substr(open + 1, word.size() - open - 2)};
}

void take(KindText& kind, const std::string& key, const std::vector<std::string>& words) {
  if (key == "of") {
    for (const std::string& word : words) kind.of.push_back(naming_column(word));
  } else if (key == "retry") {
    CHECK(words.size() == 5 && words[2] == "to");
    kind.retry_from_ms = milliseconds(words[0], words[1]);
    kind.retry_to_ms = milliseconds(words[3], words[4]);
  } else if (key == "looks") {
    kind.looks = words;
  } else if (key == "beside") {
    kind.beside = words;
  } else {
    CHECK(!words.empty());
    kind.facts.emplace_back(key, words);
  }
}

std::vector<std::string> fact_names(const KindText& kind) {
  std::vector<std::string> names;
  for (const auto& [name, values] : kind.facts) names.push_back(name);
  return names;
}

// "'a', 'b'"
std::string quoted(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "'" : ", '") + word + "'";
  return all;
}

// As in "r.role = f.role AND r.state = f.state".
std::string for_each_fact(const KindText& kind, const char* form, const char* between) {
  std::string all;
  for (const auto& [name, values] : kind.facts) {
    all += (all.empty() ? "" : between) + fmt::format(fmt::runtime(form), name);
  }
  return all;
}

std::string domain_view(const KindText& kind) {
  std::string tables;
  for (const auto& [name, values] : kind.facts) {
    std::string items;
    for (const std::string& value : values) items += (items.empty() ? "\"" : ",\"") + value + "\"";
    tables += fmt::format("{}json_each('[{}]') AS {}", tables.empty() ? "" : "\nCROSS JOIN ", items,
                          name);
  }
  return fmt::format(
      "-- Every combination of facts that there can be.\n"
      "CREATE VIEW {}_domain AS\nSELECT {}\nFROM {};\n\n",
      kind.name, for_each_fact(kind, "{0}.value AS {0}", ", "), tables);
}

// A step that is under way is not planned; one that failed is held up until it may be tried again.
std::string plan_view(const KindText& kind, bool touches_the_world) {
  const std::string busy = fmt::format(
      "NOT EXISTS (SELECT 1 FROM attempt AS a\n"
      "                  WHERE a.kind = '{}' AND a.target = f.target AND a.finished_at_ms IS NULL)",
      kind.name);
  const std::string is_free = !touches_the_world    ? ""
                              : kind.beside.empty() ? "\n  AND " + busy
                                                    : fmt::format("\n  AND (r.step IN ({}) OR {})",
                                                                  quoted(kind.beside), busy);
  const std::string head = fmt::format(
      "-- What is due: the facts with their rules.\nCREATE VIEW {}_plan AS\n", kind.name);
  const std::string facts = fmt::format("FROM {0}_fact AS f\nCROSS JOIN {0}_case AS r ON {1}\n",
                                        kind.name, for_each_fact(kind, "r.{0} = f.{0}", " AND "));
  if (kind.retry_from_ms == 0) {
    return head +
           fmt::format(
               "SELECT '{0}' AS kind, f.name, f.target, r.step, r.reason,\n"
               "       CASE WHEN r.step = 'wait' AND f.due_at_ms > (SELECT now_ms FROM clock)\n"
               "            THEN f.due_at_ms END AS due_at_ms\n"
               "{1}WHERE r.step <> 'none'{2};\n\n",
               kind.name, facts, is_free);
  }
  return head +
         fmt::format(
             "SELECT '{0}' AS kind,\n"
             "       f.name,\n"
             "       f.target,\n"
             "       -- A step that failed is held up until it may be tried again "
             "(kernel/retry.sql).\n"
             "       CASE WHEN t.target IS NULL THEN r.step ELSE 'wait' END AS step,\n"
             "       CASE WHEN t.target IS NULL THEN r.reason ELSE t.reason END AS reason,\n"
             "       CASE WHEN t.target IS NOT NULL AND f.due_at_ms > (SELECT now_ms FROM clock)\n"
             "              THEN min(f.due_at_ms, COALESCE(t.retry_at_ms, f.due_at_ms))\n"
             "            WHEN t.target IS NOT NULL THEN t.retry_at_ms\n"
             "            WHEN r.step = 'wait' AND f.due_at_ms > (SELECT now_ms FROM clock)\n"
             "              THEN f.due_at_ms END AS due_at_ms\n"
             "{1}"
             "LEFT JOIN retry_hold AS t ON t.kind = '{0}' AND t.target = f.target AND t.step = "
             "r.step\n"
             "WHERE r.step <> 'none'{2};\n\n",
             kind.name, facts, is_free);
}

// A column that names things, with the kinds that they are of.
struct Naming {
  NamingColumn column;
  std::vector<std::string> kinds;
};

std::vector<Naming> namings_of(const std::vector<KindText>& kinds) {
  std::vector<Naming> all;
  for (const KindText& kind : kinds) {
    for (const NamingColumn& column : kind.of) {
      const auto same = std::find_if(all.begin(), all.end(), [&](const Naming& each) {
        return each.column.table == column.table && each.column.column == column.column &&
               each.column.condition == column.condition;
      });
      if (same == all.end()) {
        all.push_back({column, {kind.name}});
      } else {
        same->kinds.push_back(kind.name);
      }
    }
  }
  return all;
}

// What a new row, or a new name in it, is remembered by. No OR IGNORE: a trigger that an upsert
// sets off obeys the upsert.
std::string remembered(const Naming& naming) {
  std::string all;
  for (const std::string& kind : naming.kinds) {
    all += fmt::format(
        "  INSERT INTO named (name, kind) SELECT NEW.{0}, '{1}'\n"
        "  WHERE NOT EXISTS (SELECT 1 FROM named WHERE name = NEW.{0} AND kind = '{1}');\n",
        naming.column.column, kind);
  }
  return all;
}

std::string wakes_of(const Naming& naming, int number) {
  const NamingColumn& of = naming.column;
  const auto when = [&](const char* row) {
    return fmt::format("{0}.{1} IS NOT NULL{2}", row, of.column,
                       of.condition.empty() ? "" : fmt::format(" AND {}.{}", row, of.condition));
  };
  const std::string name = fmt::format("name_{}_{}_{}", of.table, of.column, number);
  return fmt::format(
      "CREATE TEMP TRIGGER {0}_insert AFTER INSERT ON {1} WHEN {3} BEGIN\n"
      "  INSERT INTO dirty VALUES (NEW.{2});\n{5}END;\n"
      "CREATE TEMP TRIGGER {0}_update AFTER UPDATE ON {1} WHEN {3} BEGIN\n"
      "  INSERT INTO dirty VALUES (NEW.{2});\n{5}"
      "  INSERT INTO dirty SELECT OLD.{2} WHERE OLD.{2} <> NEW.{2};\nEND;\n"
      "CREATE TEMP TRIGGER {0}_delete AFTER DELETE ON {1} WHEN {4} BEGIN\n"
      "  INSERT INTO dirty VALUES (OLD.{2});\nEND;\n",
      name, of.table, of.column, when("NEW"), when("OLD"), remembered(naming));
}

std::string name_view(const KindText& kind) {
  std::string parts;
  for (const NamingColumn& each : kind.of) {
    parts += parts.empty() ? "" : "\nUNION ALL\n";
    parts += each.table.empty() ? fmt::format("SELECT '{}' AS name", each.column)
                                : fmt::format("SELECT {} AS name FROM {}", each.column, each.table);
    if (!each.condition.empty()) parts += fmt::format(" WHERE {}", each.condition);
    if (!each.table.empty() && each.condition.empty()) {
      parts += fmt::format(" WHERE {} IS NOT NULL", each.column);
    } else if (!each.table.empty()) {
      parts += fmt::format(" AND {} IS NOT NULL", each.column);
    }
  }
  return fmt::format(
      "-- Whose plan it can be; a name may stand there twice.\nCREATE VIEW {}_name AS\n{};\n\n",
      kind.name, parts);
}

}  // namespace

KindText kind_of(std::string_view declaration) {
  KindText kind;
  std::string key;
  std::vector<std::string> words;
  for (const std::string& word : words_of(declaration)) {
    if (word == "--") continue;
    if (kind.name.empty()) {
      kind.name = word;
    } else if (word.ends_with(':')) {
      if (!key.empty()) take(kind, key, words);
      key = word.substr(0, word.size() - 1);
      words.clear();
    } else {
      words.push_back(word);
    }
  }
  if (!key.empty()) take(kind, key, words);
  CHECK(!kind.name.empty() && !kind.of.empty() && !kind.facts.empty());
  return kind;
}

std::string case_table(const KindText& kind) {
  return fmt::format(
      "CREATE TABLE {0}_case (\n"
      "  -- The rules of {0}_rule with every '*' written out, so that a plan finds its rule by "
      "one\n"
      "  -- look-up; the key refuses a second rule for the same facts. Filled anew at each start.\n"
      "{1}"
      "  step TEXT NOT NULL,\n"
      "  reason TEXT NOT NULL,\n"
      "  PRIMARY KEY ({2})\n"
      ") WITHOUT ROWID;\n",
      kind.name, for_each_fact(kind, "  {0} TEXT NOT NULL,\n", ""),
      fmt::join(fact_names(kind), ", "));
}

std::string kind_views(const KindText& kind, bool touches_the_world) {
  return domain_view(kind) + plan_view(kind, touches_the_world) + name_view(kind);
}

std::string kind_fill(const KindText& kind) {
  const std::string facts = fmt::format("{}", fmt::join(fact_names(kind), ", "));
  return fmt::format(
      "DELETE FROM {0}_case;\n"
      "INSERT INTO {0}_case ({1}, step, reason)\n"
      "SELECT {2}, r.step, r.reason\n"
      "FROM {0}_domain AS d\n"
      "JOIN {0}_rule AS r ON {3};\n"
      "INSERT INTO kind (name, retry_from_ms, retry_to_ms, looks)\n"
      "VALUES ('{0}', {4}, {5}, ' {6} ');\n",
      kind.name, facts, for_each_fact(kind, "d.{0}", ", "),
      for_each_fact(kind, "(r.{0} = '*' OR r.{0} = d.{0})", " AND "), kind.retry_from_ms,
      kind.retry_to_ms, fmt::join(kind.looks, " "));
}

std::string naming_wakes(const std::vector<KindText>& kinds) {
  std::string wakes;
  int number = 0;
  for (const Naming& naming : namings_of(kinds)) {
    ++number;
    if (!naming.column.table.empty()) wakes += wakes_of(naming, number);
  }
  for (const KindText& kind : kinds) {
    wakes += fmt::format(
        "INSERT INTO named (name, kind) SELECT DISTINCT name, '{0}' FROM {0}_name;\n", kind.name);
  }
  return wakes;
}

}  // namespace rowlock
