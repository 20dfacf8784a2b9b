// A span of time is no less than nothing, and reads as the same when it is written in milliseconds.
// Any eight bytes are a moment that can be written.
#include "controller/base/check.h"
#include "controller/base/time.h"
#include "tests/fuzz/targets.h"

#include <cstring>

namespace rowlock {

void fuzz_time(std::string_view bytes) {
  const auto duration = parse_duration(bytes);
  if (duration.ok()) {
    CHECK(duration.value() >= 0);
    const auto again = parse_duration(std::to_string(duration.value()) + "ms");
    CHECK(again.ok() && again.value() == duration.value());
    CHECK(!human_duration(duration.value()).empty());
  }
  std::int64_t moment = 0;
  if (bytes.size() >= sizeof moment) std::memcpy(&moment, bytes.data(), sizeof moment);
  CHECK(rfc3339(moment).size() == std::string_view("2026-11-22T11:12:28.123Z").size());
  CHECK(!human_duration(moment).empty());
}

}  // namespace rowlock
