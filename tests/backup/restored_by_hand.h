// Somebody at midnight, who types what RESTORE.txt says.
#pragma once

#include "tests/store/files.h"

#include <string>
#include <utility>
#include <vector>

namespace rowlock {

// Does what the RESTORE.txt in the backup says, line by line, in a bash of its own whose
// environment begins with `environment`. FILE, IDENTITY and what `names` adds stand for what they
// stand for. Returns all that was printed. A line that fails fails the test.
std::string type_what_restore_text_says(
    const std::string& file, const TempFolder& folder,
    const std::vector<std::pair<std::string, std::string>>& names,
    const std::string& environment = "");

}  // namespace rowlock
