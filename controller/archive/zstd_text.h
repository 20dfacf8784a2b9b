// A text as zstd packs it, whole in memory: for what is small enough to be a row.
#pragma once

#include "controller/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace rowlock {

// What `zstd -d` unpacks.
Result<std::string> zstd_packed(std::string_view plain);

// Rejected when it is not what zstd writes, or more than `plain_max` bytes.
Result<std::string> zstd_unpacked(std::string_view packed, std::size_t plain_max);

}  // namespace rowlock
