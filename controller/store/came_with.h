// Which tables and columns desired.db did not have from the first: an older file may lack those
// that came after it, and nothing else.
#pragma once

#include <cstdint>
#include <string_view>

namespace rowlock {

// The version of desired.db in which the table first was; the column, if one is named.
std::int64_t came_with(std::string_view table, std::string_view column = "");

}  // namespace rowlock
