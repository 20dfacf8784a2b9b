// What no cell of a desired table may hold, whatever its own CHECK says of it: SQLite takes any
// bytes for text, and what is made of it (JSON, a configuration, a container) does not.
#pragma once

#include "controller/store/database.h"

#include <optional>
#include <string>

namespace rowlock {

// The longest text of a cell: what Linux takes for one variable of an environment.
constexpr std::size_t kCellBytesMax = 128 * 1024;

// What stands in place of a BLOB once a row was read: no text begins so.
constexpr char kBlobMark = '\0';

// What is wrong with it, as "must be …" goes on after the name of the column; nothing when all is
// well.
std::optional<std::string> text_fault(const Value& cell);

// Of a cell whose CHECK asks for JSON: also what SQLite takes and no other reader does.
std::optional<std::string> json_fault(const Value& cell);

// For a name in a message: valid text, and no longer than a line.
std::string in_a_message(const std::string& text);

}  // namespace rowlock
