// A row as bytes, for keyed hashes of it.
#pragma once

#include "controller/store/database.h"

#include <string>
#include <string_view>

namespace rowlock {

// Its cells in an order and a form of which there is one alone: type and length before each.
std::string canonical(const Row& row, std::string_view left_out);

}  // namespace rowlock
