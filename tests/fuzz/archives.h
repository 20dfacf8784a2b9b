// Archives in memory, for the targets that read such.
#pragma once

#include "controller/ports/streams.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

using FuzzMembers = std::vector<std::pair<std::string, std::string>>;  // Name and content.

// Of so many bytes at a time.
Source fuzz_source(std::string_view bytes, std::size_t block);

// As TarWriter makes it. Requires: names, of which none comes twice.
std::string fuzz_archive(const FuzzMembers& members);

}  // namespace rowlock
