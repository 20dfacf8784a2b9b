// Lines: an expression, a time zone, a moment in seconds. What is due next comes after that moment,
// is due from just before it, and is so from anywhere in between.
#include "controller/base/check.h"
#include "controller/base/cron.h"
#include "tests/fuzz/targets.h"

#include <charconv>

namespace rowlock {

namespace {

constexpr std::int64_t kYear9998S = 253'339'228'800;

}  // namespace

void fuzz_cron(std::string_view bytes) {
  const auto [expression, rest] = first_line(bytes);
  const auto [zone_name, number] = first_line(rest);
  const auto cron = Cron::parse(expression);
  const auto zone = TimeZone::load(zone_name);
  if (!cron.ok() || !zone.ok()) return;

  std::int64_t after_s = 0;
  std::from_chars(number.data(), number.data() + number.size(), after_s);
  const std::int64_t after_ms = after_s % kYear9998S * 1000;
  const auto next = cron.value().next(after_ms, zone.value());
  if (!next) return;
  CHECK(*next > after_ms);
  CHECK(cron.value().next(*next - 1, zone.value()) == next);
  CHECK(cron.value().next(after_ms + (*next - after_ms) / 2, zone.value()) == next ||
        *next - after_ms < 2);
}

}  // namespace rowlock
