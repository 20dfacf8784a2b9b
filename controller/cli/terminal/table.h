// Rows as text: aligned for people, tab-separated for scripts, JSON for programs. Pure functions of
// what is given; whether a terminal is there, terminal.h finds out.
#pragma once

#include "controller/store/database.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct Table {
  std::vector<std::string> columns;
  std::vector<Row> rows;
};

// Requires: every row has a cell for each column.
Table table_from(std::vector<std::string> columns, std::vector<std::vector<Value>> rows);

struct TableLook {
  std::size_t width = 0;  // Columns of the terminal; 0: as wide as it takes.
  bool is_coloured = false;
  bool is_old = false;                 // States are shown as old: nobody has looked since.
  std::optional<std::int64_t> now_ms;  // Moments become durations from here; absent: numbers stay.
};

// Aligned by display width, with a header. Columns named `…_ms` become durations, those called
// `state` get a symbol and a colour, and the widest are cut until every line fits.
std::string table_text(const Table& table, const TableLook& look);

// A header line and a line for each row; tab, newline, carriage return and backslash in a cell are
// written as \t, \n, \r and \\.
std::string tsv_text(const Table& table);

// [{"column":value,…},…] on one line, members in the order of the columns.
std::string json_text(const Table& table);
std::string json_text(const Row& row);
std::string json_text(const Value& value);

// "✓ converged": never by colour alone.
std::string state_text(std::string_view state, bool is_coloured, bool is_old);

// "1 row", "2 rows".
std::string counted(std::int64_t count, std::string_view noun);

// One line without what a terminal obeys instead of showing it: it could move the cursor, change
// colours or the order of what follows. Texts of others go through this.
std::string printable(std::string_view text);
// The same for each line of the text.
std::string printable_lines(std::string_view text);

}  // namespace rowlock
