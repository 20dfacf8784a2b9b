// The widths are worked out on whole cells first; colours are added after a cell was cut, since
// they take no columns.
#include "controller/cli/terminal/table.h"

#include "controller/base/json.h"
#include "controller/base/text.h"
#include "controller/base/time.h"
#include "controller/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace rowlock {
namespace {

constexpr std::size_t kGap = 2;  // Columns between two columns of the table.
constexpr std::size_t kNarrow = 12;
constexpr std::size_t kNarrowest = 8;  // No column is cut below this.
constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kBold = "\x1b[1m";

// The symbol and one of the 16 system colours for each state of the view `status`.
struct StateMark {
  std::string_view state;
  std::string_view symbol;
  std::string_view colour;
};
constexpr StateMark kMarks[] = {
    {"converged", "✓", "\x1b[32m"}, {"converging", "◐", "\x1b[36m"}, {"waiting", "◌", "\x1b[33m"},
    {"failed", "✗", "\x1b[31m"},    {"refused", "⊘", "\x1b[31m"},    {"unknown", "?", "\x1b[33m"},
};

bool is_moment(std::string_view column) {
  return column == "since_ms" || column == "at_ms" || column.ends_with("_at_ms");
}

// A column's name as a person reads it: "since" for since_ms, "due" for due_at_ms.
std::string heading(std::string_view column, const TableLook& look) {
  for (const std::string_view unit : {"_at_ms", "_ms"}) {
    if (look.now_ms && column.ends_with(unit)) {
      return std::string(column.substr(0, column.size() - unit.size()));
    }
  }
  return std::string(column);
}

std::string cell_text(const Row& row, std::size_t at, const TableLook& look) {
  const std::string& column = row.columns()[at];
  const Value& value = row.cells()[at];
  const auto* number = std::get_if<std::int64_t>(&value);
  if (look.now_ms && number != nullptr && is_moment(column)) {
    const std::int64_t age_ms = *look.now_ms - *number;
    return age_ms < 0 ? "in " + human_duration(-age_ms) : human_duration(age_ms);
  }
  if (look.now_ms && number != nullptr && column.ends_with("_ms")) {
    return human_duration(*number);
  }
  return printable(text_of(value));
}

using Lines = std::vector<std::vector<std::string>>;

// The natural widths, with the widest taken back to the second widest and so on until they fit; the
// first, which says what the line is of, only once the others are narrow.
std::vector<std::size_t> widths_of(const Lines& lines, std::size_t room) {
  std::vector<std::size_t> widths(lines.front().size(), 0);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(line[i]));
    }
  }
  if (room == 0) {
    return widths;
  }
  std::size_t total = kGap * (widths.size() - 1);
  for (const std::size_t width : widths) {
    total += width;
  }
  while (total > room) {
    auto widest = std::max_element(widths.begin() + 1, widths.end());
    if (widest == widths.end() || *widest <= kNarrow) {
      widest = std::max_element(widths.begin(), widths.end());
    }
    if (*widest <= kNarrowest) {
      break;
    }
    --*widest;
    --total;
  }
  return widths;
}

std::string painted(const std::string& text, std::string_view colour) {
  return colour.empty() ? text : fmt::format("{}{}{}", colour, text, kReset);
}

std::string_view colour_of(std::string_view state) {
  const auto* mark = std::find_if(std::begin(kMarks), std::end(kMarks),
                                  [&](const StateMark& each) { return each.state == state; });
  return mark == std::end(kMarks) ? "" : mark->colour;
}

// Colours are put on after the cell was cut, for they take no columns.
std::string line_text(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths,
                      const std::vector<std::string_view>& colours) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string cut = truncated(cells[i], widths[i]);
    line += painted(cut, colours[i]);
    if (i + 1 < cells.size()) {
      line.append(widths[i] - std::min(widths[i], display_width(cut)) + kGap, ' ');
    }
  }
  while (line.ends_with(' ')) {
    line.pop_back();
  }
  return line + "\n";
}

std::string tsv_cell(std::string_view text) {
  std::string escaped;
  for (const char each : text) {
    switch (each) {
      case '\t': escaped += "\\t"; break;
      case '\n': escaped += "\\n"; break;
      case '\r': escaped += "\\r"; break;
      case '\\': escaped += "\\\\"; break;
      default: escaped += each;
    }
  }
  return escaped;
}

}  // namespace

Table table_from(std::vector<std::string> columns, std::vector<std::vector<Value>> rows) {
  Table table{std::move(columns), {}};
  const auto names = std::make_shared<const std::vector<std::string>>(table.columns);
  for (std::vector<Value>& cells : rows) {
    CHECK(cells.size() == names->size());
    table.rows.emplace_back(names, std::move(cells));
  }
  return table;
}

std::string state_text(std::string_view state, bool is_coloured, bool is_old) {
  const auto* mark = std::find_if(std::begin(kMarks), std::end(kMarks),
                                  [&](const StateMark& each) { return each.state == state; });
  if (mark == std::end(kMarks)) {
    return std::string(state);
  }
  const std::string text =
      is_old ? fmt::format("? was {}", state) : fmt::format("{} {}", mark->symbol, state);
  return painted(text, is_coloured && !is_old ? mark->colour : "");
}

std::string counted(std::int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string printable(std::string_view text) {
  const std::string valid = utf8_sanitised(text);
  std::string clean;
  for (std::string_view rest = valid; !rest.empty();) {
    const std::string_view character = rest.substr(0, utf8_character_length(rest));
    clean += moves_the_terminal(utf8_code_point(character)) ? " " : character;
    rest.remove_prefix(character.size());
  }
  return clean;
}

std::string printable_lines(std::string_view text) {
  std::string clean;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    clean += printable(text.substr(at, end - at)) + (end < text.size() ? "\n" : "");
    at = end + 1;
  }
  return clean;
}

std::string table_text(const Table& table, const TableLook& look) {
  if (table.columns.empty()) {
    return "";
  }
  const auto found = std::find(table.columns.begin(), table.columns.end(), "state");
  const auto state = static_cast<std::size_t>(found - table.columns.begin());
  Lines lines(1);
  for (const std::string& column : table.columns) {
    lines.front().push_back(heading(column, look));
  }
  for (const Row& row : table.rows) {
    auto& line = lines.emplace_back();
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const std::string text = cell_text(row, i, look);
      line.push_back(i == state ? state_text(text, false, look.is_old) : text);
    }
  }
  const std::vector<std::size_t> widths = widths_of(lines, look.width);
  std::vector<std::string_view> colours(table.columns.size(), look.is_coloured ? kBold : "");
  std::string text = line_text(lines.front(), widths, colours);
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    std::fill(colours.begin(), colours.end(), "");
    if (state < colours.size() && look.is_coloured && !look.is_old) {
      colours[state] = colour_of(table.rows[i].text("state"));
    }
    text += line_text(lines[i + 1], widths, colours);
  }
  return text;
}

std::string tsv_text(const Table& table) {
  std::string text;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    text += (i == 0 ? "" : "\t") + tsv_cell(table.columns[i]);
  }
  text += table.columns.empty() ? "" : "\n";
  for (const Row& row : table.rows) {
    for (std::size_t i = 0; i < row.cells().size(); ++i) {
      text += (i == 0 ? "" : "\t") + tsv_cell(text_of(row.cells()[i]));
    }
    text += "\n";
  }
  return text;
}

std::string json_text(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) {
    return "null";
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return Json::string(utf8_sanitised(*text)).text();
  }
  if (const auto* number = std::get_if<double>(&value); number != nullptr) {
    return std::isfinite(*number) ? fmt::format("{}", *number) : "null";
  }
  return text_of(value);
}

std::string json_text(const Row& row) {
  std::string text = "{";
  for (std::size_t i = 0; i < row.cells().size(); ++i) {
    text += (i == 0 ? "" : ",") + Json::string(row.columns()[i]).text() + ":" +
            json_text(row.cells()[i]);
  }
  return text + "}";
}

std::string json_text(const Table& table) {
  std::string text = "[";
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    text += (i == 0 ? "" : ",") + json_text(table.rows[i]);
  }
  return text + "]";
}

}  // namespace rowlock
