// Moments and spans of time, as numbers, as people write them and as people read them.
#pragma once

#include "controller/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace rowlock {

// The system's clock, in milliseconds since the epoch. For log lines and the like: what decides
// anything asks the world's Clock instead, which a test can set.
std::int64_t system_now_ms();

// RFC 3339 in UTC: "2026-11-22T11:12:28.123Z". Moments outside the years 0 to 9999 read as the
// nearest one inside.
std::string rfc3339(std::int64_t at_ms);

// For people: "450 ms", "4 s", "2 min 3 s", "3 h 12 min", "5 d 2 h". Rounded down; a smaller unit
// of zero is left out.
std::string human_duration(std::int64_t duration_ms);

// "500ms", "30s", "5m", "2h", "1d" or a plain number of seconds, in milliseconds. Whole numbers, no
// sign.
Result<std::int64_t> parse_duration(std::string_view text);

}  // namespace rowlock
