// Whether a disk is full, as far as this process may fill it.
#pragma once

#include <string>

namespace rowlock {

// Whether there is no room for even a small write in the folder, or beside the file. What cannot be
// asked has room.
bool has_no_room(const std::string& path);

}  // namespace rowlock
