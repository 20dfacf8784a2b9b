// Which tables and columns desired.db did not have from the first: an older file may lack those
// that came after it, and nothing else. And what they say of rows that are older.
#pragma once

#include "controller/base/result.h"
#include "controller/store/database.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace rowlock {

// The version of desired.db in which the table first was; the column, if one is named.
std::int64_t came_with(std::string_view table, std::string_view column = "");

// What the column says of rows that were there before it, as an SQL literal: what runs goes on as
// it is, though new rows get another default. "": they get the default.
std::string_view before_it_came(std::string_view table, std::string_view column);

// Fills a table that was made anew from what it was before, table `old` of the same database: the
// columns that both have, and the others as above.
Result<> fill_from_old(Database& database, const std::string& table, const std::string& old);

}  // namespace rowlock
