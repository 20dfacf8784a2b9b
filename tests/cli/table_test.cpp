// Rows as people, scripts and programs read them.
#include "controller/cli/terminal/table.h"

#include "controller/base/text.h"

#include <criterion/criterion.h>

#include <memory>

using rowlock::Row;
using rowlock::Table;
using rowlock::Value;

namespace {

Table table_of(std::vector<std::string> columns, std::vector<std::vector<Value>> rows) {
  Table table{columns, {}};
  const auto names = std::make_shared<const std::vector<std::string>>(columns);
  for (auto& cells : rows) {
    table.rows.emplace_back(names, std::move(cells));
  }
  return table;
}

void expect_text(const std::string& got, const std::string& wanted) {
  cr_expect(got == wanted, "got:\n%s\nwanted:\n%s", got.c_str(), wanted.c_str());
}

}  // namespace

Test(cli_table, columns_are_aligned_by_what_a_terminal_shows) {
  const Table table = table_of({"name", "detail"}, {{"é日本", "one"}, {"web", "two\nlines"}});

  expect_text(rowlock::table_text(table, {}),
              "name   detail\n"
              "é日本  one\n"
              "web    two lines\n");
}

Test(cli_table, the_widest_column_is_cut_until_every_line_fits) {
  const Table table = table_of({"name", "detail"}, {{"web", std::string(100, 'x')}});

  const std::string text = rowlock::table_text(table, {.width = 20});

  expect_text(text, "name  detail\nweb   xxxxxxxxxxxxx…\n");
}

Test(cli_table, moments_and_durations_read_as_durations) {
  const Table table =
      table_of({"since_ms", "due_at_ms", "timeout_ms", "at_ms"},
               {{std::int64_t{6000}, std::int64_t{14000}, std::int64_t{90000}, {}}});

  expect_text(rowlock::table_text(table, {.now_ms = 10000}),
              "since  due     timeout     at\n"
              "4 s    in 4 s  1 min 30 s\n");
}

Test(cli_table, a_state_is_a_symbol_and_a_word_and_perhaps_a_colour) {
  const Table table = table_of({"state"}, {{"converged"}, {"failed"}});

  expect_text(rowlock::table_text(table, {}), "state\n✓ converged\n✗ failed\n");
  expect_text(rowlock::table_text(table, {.is_coloured = true}),
              "\x1b[1mstate\x1b[0m\n\x1b[32m✓ converged\x1b[0m\n\x1b[31m✗ failed\x1b[0m\n");
  expect_text(rowlock::table_text(table, {.is_coloured = true, .is_old = true}),
              "\x1b[1mstate\x1b[0m\n? was converged\n? was failed\n");
}

Test(cli_table, a_cell_cannot_move_the_cursor) {
  const Table table = table_of({"log"}, {{"\x1b[2Jgone\x7f"}});

  expect_text(rowlock::table_text(table, {}), "log\n [2Jgone\n");
}

Test(cli_table, what_a_terminal_obeys_is_a_blank) {
  for (const std::string obeyed :
       {"\x1b", "\r", "\n", "\t", "\x7f", "\u0080", "\u009b", "\u009f", "\u061c", "\u200e",
        "\u200f", "\u2028", "\u202a", "\u202e", "\u2066", "\u2069"}) {
    expect_text(rowlock::printable("a" + obeyed + "b"), "a b");
  }
  expect_text(rowlock::printable(std::string("a\0b", 3)), "a b");
  expect_text(rowlock::printable("é\u00a0 🚣\u200d♀️ \u202f"),
              "é\u00a0 🚣\u200d♀️ \u202f");
  expect_text(rowlock::printable_lines("one\n\u009b2Jtwo\n"), "one\n 2Jtwo\n");
}

Test(cli_table, tabs_and_newlines_are_escaped_for_scripts) {
  const Table table = table_of({"name", "detail"}, {{"a\tb", "c\nd\\e\r"}, {{}, std::int64_t{42}}});

  expect_text(rowlock::tsv_text(table), "name\tdetail\na\\tb\tc\\nd\\\\e\\r\n\t42\n");
  expect_text(rowlock::tsv_text({{"name"}, {}}), "name\n");
}

Test(cli_table, json_keeps_the_order_of_the_columns_and_the_types) {
  const Table table = table_of({"z", "a", "n", "x"}, {{"q\"\n", std::int64_t{7}, {}, 1.5}});

  expect_text(rowlock::json_text(table), R"([{"z":"q\"\n","a":7,"n":null,"x":1.5}])");
  expect_text(rowlock::json_text(Table{{"z"}, {}}), "[]");
  expect_text(rowlock::json_text(Value(std::string("\xff"))), "\"\xEF\xBF\xBD\"");
}
