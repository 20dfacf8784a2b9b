// SQL that is written once and filled in for a table.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace rowlock {

// The text with every {name} replaced by its value.
std::string filled_in(std::string text,
                      const std::vector<std::pair<std::string, std::string>>& places);

// Each column as `format` has it, with `between` between them.
std::string joined(const std::vector<std::string>& columns, const std::string& format,
                   const std::string& between);

}  // namespace rowlock
