// The largest tables are given, one after the other, to the part that has least so far. The server
// tells the sizes; that they are rough does no harm.
#include "controller/adapters/postgres/postgres_parts.h"

#include "controller/adapters/postgres/postgres_text.h"
#include "controller/base/json.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace rowlock {

namespace {

// The largest plain tables; the names of more would fill the command line. Names go to pg_dump in
// the database's own encoding, which those of ASCII are in any. What an extension made is no
// table's of the user's. A sequence of a table's own goes where the table goes, unless it is left
// out there. Beside each: the bytes of all tables together, and of large objects.
constexpr char kTables[] =
    "SELECT t.name, t.bytes, "
    "       (SELECT COALESCE(json_agg(quote_ident(m.nspname) || '.' || quote_ident(s.relname)), "
    "'[]') "
    "        FROM pg_depend AS d "
    "        JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S' "
    "        JOIN pg_namespace AS m ON m.oid = s.relnamespace "
    "        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass "
    "          AND d.refobjid = t.oid AND d.deptype IN ('a', 'i')), "
    "       (SELECT sum(pg_table_size(a.oid)) FROM pg_class AS a "
    "        WHERE a.relkind = 'r' AND (a.oid >= 16384 OR a.relname = 'pg_largeobject')) "
    "FROM (SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, "
    "             pg_table_size(c.oid) AS bytes "
    "      FROM pg_class AS c "
    "      JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "      WHERE c.relkind = 'r' AND c.relpersistence <> 't' "
    "        AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
    "        AND NOT EXISTS (SELECT 1 FROM pg_depend AS e "
    "                        WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid "
    "                          AND e.deptype = 'e')) AS t "
    "WHERE t.name ~ '^[ -~]+$' AND t.bytes > 0 "
    "ORDER BY t.bytes DESC, t.name "
    "LIMIT 500";

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char each) { return each >= ' ' && each <= '~'; });
}

std::int64_t number(const std::string& text) { return std::strtoll(text.c_str(), nullptr, 10); }

}  // namespace

std::vector<PostgresPart> shared_out(std::vector<PostgresPartTable> tables, std::int64_t rest_bytes,
                                     int parts) {
  std::stable_sort(tables.begin(), tables.end(), [](const auto& one, const auto& other) {
    return one.size_bytes > other.size_bytes;
  });
  std::vector<PostgresPart> result(static_cast<std::size_t>(std::max(parts, 1)));
  std::vector<std::int64_t> bytes(result.size(), 0);
  bytes.front() = rest_bytes;
  for (PostgresPartTable& table : tables) {
    const auto least = std::min_element(bytes.begin(), bytes.end());
    *least += table.size_bytes;
    result[static_cast<std::size_t>(least - bytes.begin())].push_back(std::move(table));
  }
  const auto is_empty = [](const PostgresPart& part) { return part.empty(); };
  result.erase(std::remove_if(result.begin() + 1, result.end(), is_empty), result.end());
  return result;
}

Result<std::vector<PostgresPart>> parts_of_data(PostgresConnection& connection, int parts) {
  const auto asked = TRY(connection.ask(kTables));
  if (asked.is_refused()) return refused(asked.refusal, connection.user());
  std::vector<PostgresPartTable> tables;
  std::int64_t rest_bytes = 0;
  for (const PostgresRow& row : asked.rows) {
    PostgresPartTable table{row[0], {}, number(row[1])};
    auto sequences = TRY(Json::parse(row[2]));
    for (const Json& each : sequences.items()) table.sequences.push_back(each.as_string());
    if (tables.empty()) rest_bytes = number(row[3]);
    if (!std::all_of(table.sequences.begin(), table.sequences.end(), is_ascii)) continue;
    rest_bytes -= table.size_bytes;
    tables.push_back(std::move(table));
  }
  return shared_out(std::move(tables), rest_bytes, parts);
}

std::vector<std::string> options_of(const std::vector<PostgresPart>& parts, std::size_t part) {
  std::vector<std::string> options = {"--section=data"};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    for (const PostgresPartTable& table : parts[i]) {
      if (part == 0) options.push_back("--exclude-table-data=" + table.name);
      if (part != i) continue;
      options.push_back("--table=" + table.name);
      for (const std::string& sequence : table.sequences) {
        options.push_back("--exclude-table-data=" + sequence);
      }
    }
  }
  return options;
}

}  // namespace rowlock
