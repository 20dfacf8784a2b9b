// The only includer of utf8proc, which knows what Unicode says about each code point.
#include "controller/base/text.h"

#include "controller/base/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <numeric>

namespace rowlock {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";     // U+2026
constexpr std::size_t kEditsMax = 2;
constexpr std::size_t kWordMax =
    100;  // Bytes; longer ones are no slips of the finger, and comparing is quadratic.

struct CodePoint {
  std::string_view bytes;  // What to show for it.
  std::size_t length = 0;  // How many bytes of the text it takes.
  std::size_t width = 0;   // Columns.
};

// Requires: text is not empty.
CodePoint first_code_point(std::string_view text) {
  utf8proc_int32_t code = -1;
  const utf8proc_ssize_t length =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                       static_cast<utf8proc_ssize_t>(text.size()), &code);
  if (length <= 0) {
    return {kReplacement, 1, 1};
  }
  const auto size = static_cast<std::size_t>(length);
  return {text.substr(0, size), size, static_cast<std::size_t>(utf8proc_charwidth(code))};
}

// Levenshtein's distance, one row of the table at a time.
std::size_t edits_between(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[to.size()];
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const CodePoint next = first_code_point(text);
    width += next.width;
    text.remove_prefix(next.length);
  }
  return width;
}

std::string truncated(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) {
    return utf8_sanitised(text);
  }
  if (width == 0) {
    return "";
  }
  std::string shown;
  std::size_t columns = 0;
  while (true) {
    const CodePoint next = first_code_point(text);
    if (columns + next.width > width - 1) {
      return shown.append(kEllipsis);
    }
    columns += next.width;
    shown += next.bytes;
    text.remove_prefix(next.length);
  }
}

std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  std::size_t fewest = std::min(kEditsMax + 1, word.size());
  for (const std::string& candidate : candidates) {
    if (word.size() > kWordMax || candidate.size() > kWordMax) {
      continue;
    }
    const std::size_t edits = edits_between(word, candidate);
    if (edits < fewest) {
      fewest = edits;
      best = candidate;
    }
  }
  return best;
}

}  // namespace rowlock
