// All arithmetic on whole milliseconds, which have no time zones and no leap seconds.
#include "controller/base/time.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>

namespace rowlock {
namespace {

constexpr std::int64_t kSecondMs = 1000;
constexpr std::int64_t kMinuteMs = 60 * kSecondMs;
constexpr std::int64_t kHourMs = 60 * kMinuteMs;
constexpr std::int64_t kDayMs = 24 * kHourMs;

constexpr std::int64_t kYear0AtMs = -62167219200000;     // 0000-01-01T00:00:00.000Z
constexpr std::int64_t kYear9999AtMs = 253402300799999;  // 9999-12-31T23:59:59.999Z

std::string two_units(std::uint64_t large, std::string_view large_unit, std::uint64_t small,
                      std::string_view small_unit) {
  if (small == 0) {
    return fmt::format("{} {}", large, large_unit);
  }
  return fmt::format("{} {} {} {}", large, large_unit, small, small_unit);
}

std::string human_span(std::uint64_t ms) {
  constexpr auto second = static_cast<std::uint64_t>(kSecondMs);
  constexpr auto minute = static_cast<std::uint64_t>(kMinuteMs);
  constexpr auto hour = static_cast<std::uint64_t>(kHourMs);
  constexpr auto day = static_cast<std::uint64_t>(kDayMs);
  if (ms < second) {
    return fmt::format("{} ms", ms);
  }
  if (ms < minute) {
    return fmt::format("{} s", ms / second);
  }
  if (ms < hour) {
    return two_units(ms / minute, "min", ms % minute / second, "s");
  }
  if (ms < day) {
    return two_units(ms / hour, "h", ms % hour / minute, "min");
  }
  return two_units(ms / day, "d", ms % day / hour, "h");
}

struct Unit {
  std::string_view suffix;
  std::int64_t ms;
};

constexpr std::array kUnits = {Unit{"", kSecondMs},  Unit{"ms", 1},          Unit{"s", kSecondMs},
                               Unit{"m", kMinuteMs}, Unit{"min", kMinuteMs}, Unit{"h", kHourMs},
                               Unit{"d", kDayMs}};

}  // namespace

std::int64_t system_now_ms() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
}

std::string rfc3339(std::int64_t at_ms) {
  using std::chrono::days;
  using std::chrono::milliseconds;
  const milliseconds at(std::clamp(at_ms, kYear0AtMs, kYear9999AtMs));
  const days day = std::chrono::floor<days>(at);
  const std::chrono::year_month_day date{std::chrono::sys_days(day)};
  const std::chrono::hh_mm_ss clock(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string human_duration(std::int64_t duration_ms) {
  const auto ms = static_cast<std::uint64_t>(duration_ms);
  return duration_ms < 0 ? "-" + human_span(0 - ms) : human_span(ms);
}

Result<std::int64_t> parse_duration(std::string_view text) {
  Error error;
  error.fault = Fault::rejected;
  error.message = fmt::format("not a duration: \"{}\"", text);
  error.hint = "write a whole number with ms, s, m, h or d, such as 500ms, 30s or 5m";

  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, number);
  if (status != std::errc() || text.front() == '-') {
    return error;
  }
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  const auto* unit = std::find_if(kUnits.begin(), kUnits.end(),
                                  [&](const Unit& each) { return each.suffix == suffix; });
  if (unit == kUnits.end() || number > std::numeric_limits<std::int64_t>::max() / unit->ms) {
    return error;
  }
  return number * unit->ms;
}

}  // namespace rowlock
