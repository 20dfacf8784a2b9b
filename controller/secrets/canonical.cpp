// Two different rows must never give the same bytes: hence the type and the length before each
// cell.
#include "controller/secrets/canonical.h"

#include <fmt/format.h>

namespace rowlock {

std::string canonical(const Row& row, std::string_view left_out) {
  std::string text;
  for (std::size_t i = 0; i < row.cells().size(); ++i) {
    if (row.columns()[i] == left_out) {
      continue;
    }
    const std::string cell = text_of(row.cells()[i]);
    text += fmt::format("{}{}:{}", row.cells()[i].index(), cell.size(), cell);
  }
  return text;
}

}  // namespace rowlock
