// Whether a server has room for what is to be restored on it.
#pragma once

#include "controller/ports/database_dumps.h"

#include <cstdint>
#include <string>

namespace rowlock {

// Why a database of that size, with its indexes, must not be restored there: the server would run
// out of disk, for the data or for its write-ahead log, and go down with all that is on it. "" when
// there is room.
std::string lack_of_room(const ServerRoom& room, std::int64_t size_bytes);

}  // namespace rowlock
