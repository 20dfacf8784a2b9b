// Days, hours and minutes are walked as the wall clock shows them, and only then looked up as
// moments: that a minute is skipped or shown twice is seen there and nowhere else.
#include "controller/base/cron.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <vector>

namespace rowlock {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kMinutesOfHour = 60;
constexpr std::int64_t kMinutesOfDay = 1440;
constexpr std::int64_t kDaysMax = 400 * 366;             // The calendar repeats after 400 years.
constexpr std::int64_t kYear1AtMs = -62135596800000;     // 0001-01-01T00:00:00Z
constexpr std::int64_t kYear9999AtMs = 253370764800000;  // 9999-01-01T00:00:00Z
constexpr std::size_t kShownMax = 60;
constexpr std::size_t kDigitsMax = 4;  // More than any number has, zeros in front included.
constexpr std::string_view kBlanks = " \t\r\n";

constexpr std::size_t kDayOfWeek = 4;

struct Kind {
  std::string_view name;
  unsigned lowest;
  unsigned highest;
  std::string_view allowed;
};
constexpr std::array<Kind, 5> kKinds = {{
    {"minute", 0, 59, "0 to 59"},
    {"hour", 0, 23, "0 to 23"},
    {"day of the month", 1, 31, "1 to 31"},
    {"month", 1, 12, "1 to 12 or jan to dec"},
    {"day of the week", 0, 7, "0 to 7 or sun to sat, where 0 and 7 are Sunday"},
}};

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat"};

struct Word {
  std::string_view word;
  std::string_view meaning;
};
constexpr std::array<Word, 7> kWords = {{{"@hourly", "0 * * * *"},
                                         {"@daily", "0 0 * * *"},
                                         {"@midnight", "0 0 * * *"},
                                         {"@weekly", "0 0 * * 0"},
                                         {"@monthly", "0 0 1 * *"},
                                         {"@yearly", "0 0 1 1 *"},
                                         {"@annually", "0 0 1 1 *"}}};

std::string lower(std::string_view text) {
  std::string all(text);
  for (char& c : all) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return all;
}

// In quotation marks, on one line and not too long, whatever it was.
std::string quoted(std::string_view text) {
  std::string all(text.substr(0, kShownMax));
  std::replace_if(
      all.begin(), all.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return fmt::format("\"{}{}\"", all, text.size() > kShownMax ? "..." : "");
}

Error rejected(std::string_view expression, const std::string& what) {
  Error error;
  error.fault = Fault::rejected;
  error.message = fmt::format("cron expression {}: {}", quoted(expression), what);
  error.hint =
      "write minute, hour, day of the month, month and day of the week, as in "
      "30 2 * * mon-fri, or @daily";
  return error;
}

std::vector<std::string_view> split(std::string_view text, std::string_view at) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find_first_of(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

std::optional<unsigned> number(std::string_view text) {
  const bool is_number = !text.empty() && text.size() <= kDigitsMax &&
                         text.find_first_not_of("0123456789") == std::string_view::npos;
  if (!is_number) {
    return std::nullopt;
  }
  unsigned value = 0;
  for (const char c : text) {
    value = 10 * value + static_cast<unsigned>(c - '0');
  }
  return value;
}

template <std::size_t N>
std::optional<unsigned> named(const std::string& name, const std::array<std::string_view, N>& names,
                              unsigned first) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    return std::nullopt;
  }
  return first + static_cast<unsigned>(found - names.begin());
}

// A number or a name that the field may hold.
std::optional<unsigned> value_of(std::string_view text, std::size_t which) {
  std::optional<unsigned> value = number(text);
  if (!value && kKinds[which].name == "month") {
    value = named(lower(text), kMonths, 1);
  } else if (!value && which == kDayOfWeek) {
    value = named(lower(text), kWeekdays, 0);
  }
  const bool is_allowed =
      value && *value >= kKinds[which].lowest && *value <= kKinds[which].highest;
  return is_allowed ? value : std::nullopt;
}

struct Range {
  unsigned first;
  unsigned last;
};

// "*", a value, or two with a hyphen between them.
std::optional<Range> range_of(std::string_view text, std::size_t which) {
  if (text == "*") {
    return Range{kKinds[which].lowest, kKinds[which].highest};
  }
  const std::size_t hyphen = text.find('-');
  const std::optional<unsigned> first = value_of(text.substr(0, hyphen), which);
  if (hyphen == std::string_view::npos) {
    return first ? std::optional(Range{*first, *first}) : std::nullopt;
  }
  std::optional<unsigned> last = value_of(text.substr(hyphen + 1), which);
  if (which == kDayOfWeek && first && last && *first > 0 && *last == 0) {
    last = 7;  // fri-sun
  }
  return first && last && *first <= *last ? std::optional(Range{*first, *last}) : std::nullopt;
}

// The lowest value at or above `from`, or `none`.
std::int64_t at_or_above(std::uint64_t values, std::int64_t from, std::int64_t none) {
  const std::uint64_t left = from < 64 ? values >> from << from : 0;
  return left == 0 ? none : std::countr_zero(left);
}

bool has(std::uint64_t values, unsigned value) { return (values >> value & 1) != 0; }

}  // namespace

// ---- Reading ------------------------------------------------------------------------------------

Result<Cron::Field> Cron::parse_field(std::string_view text, std::size_t which,
                                      std::string_view expression) {
  const Kind& kind = kKinds[which];
  Field field;
  field.is_star = text.starts_with('*');
  for (const std::string_view part : split(text, ",")) {
    const std::size_t slash = part.find('/');
    const std::string_view values = part.substr(0, slash);
    const std::optional<Range> range = range_of(values, which);
    if (!range) {
      return rejected(expression, fmt::format("the {} is {}, but {} is allowed", kind.name,
                                              quoted(text), kind.allowed));
    }
    std::optional<unsigned> step = 1;
    if (slash != std::string_view::npos) {
      step = number(part.substr(slash + 1));
      const bool is_range = values == "*" || values.find('-') != std::string_view::npos;
      if (!step || *step == 0 || *step > kind.highest || !is_range) {
        return rejected(
            expression,
            fmt::format("the {} is {}, but a step is allowed behind * or a range alone, from 1 to "
                        "{}",
                        kind.name, quoted(text), kind.highest));
      }
    }
    for (unsigned value = range->first; value <= range->last; value += *step) {
      field.values |= std::uint64_t{1} << (which == kDayOfWeek ? value % 7 : value);
    }
  }
  return field;
}

Result<Cron> Cron::parse(std::string_view expression) {
  std::string_view rest = expression;
  const std::string word = lower(expression.substr(0, kShownMax));
  for (const Word& each : kWords) {
    if (word == each.word) rest = each.meaning;
  }
  std::vector<std::string_view> fields = split(rest, kBlanks);
  std::erase(fields, std::string_view());
  if (fields.size() == 1 && fields[0].starts_with('@')) {
    return rejected(expression, "there are only @hourly, @daily, @weekly, @monthly and @yearly");
  }
  if (fields.size() != kKinds.size()) {
    return rejected(expression, fmt::format("it has {} field{}, but five are needed", fields.size(),
                                            fields.size() == 1 ? "" : "s"));
  }
  Cron cron;
  Field* const into[] = {&cron.minute_, &cron.hour_, &cron.day_of_month_, &cron.month_,
                         &cron.day_of_week_};
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    const auto field = TRY(parse_field(fields[i], i, expression));
    *into[i] = field;
  }
  if (!cron.can_match()) {
    return rejected(expression, fmt::format("the day of the month is {}, which no month {} has",
                                            quoted(fields[2]), quoted(fields[3])));
  }
  return cron;
}

// Every weekday falls on every day of every year's calendar at some time, February 29 included.
bool Cron::can_match() const {
  constexpr std::array<unsigned, 12> kDays = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (!day_of_month_.is_star && !day_of_week_.is_star) {
    return true;
  }
  const auto first_day = static_cast<unsigned>(std::countr_zero(day_of_month_.values));
  for (unsigned month = 1; month <= kDays.size(); ++month) {
    if (has(month_.values, month) && first_day <= kDays[month - 1]) {
      return true;
    }
  }
  return false;
}

// ---- The next moment ----------------------------------------------------------------------------

bool Cron::is_day(std::int64_t day) const {
  const std::chrono::sys_days at{std::chrono::days(day)};
  const std::chrono::year_month_day date(at);
  const bool is_date = has(day_of_month_.values, static_cast<unsigned>(date.day()));
  const bool is_weekday = has(day_of_week_.values, std::chrono::weekday(at).c_encoding());
  const bool is_either = !day_of_month_.is_star && !day_of_week_.is_star;
  return has(month_.values, static_cast<unsigned>(date.month())) &&
         (is_either ? is_date || is_weekday : is_date && is_weekday);
}

std::optional<std::int64_t> Cron::next(std::int64_t after_ms, const TimeZone& zone) const {
  if (after_ms >= kYear9999AtMs) {
    return std::nullopt;
  }
  after_ms = std::max(after_ms, kYear1AtMs);
  const WallMinute now = zone.wall_minute(after_ms);
  const TimeZone::Moments shown = zone.moments(now);
  // While an hour is shown for the first time, earlier minutes of it are still to come once more.
  const std::int64_t repeated_ms = shown.last_at_ms - shown.first_at_ms;
  const WallMinute from = now - (repeated_ms + kMinuteMs - 1) / kMinuteMs;
  const std::int64_t first_day =
      std::chrono::floor<std::chrono::days>(std::chrono::minutes(from)).count();

  std::optional<std::int64_t> again_at_ms;
  for (std::int64_t day = first_day; day <= first_day + kDaysMax; ++day) {
    if (!is_day(day)) continue;
    for (auto hour = at_or_above(hour_.values, 0, 24); hour < 24;
         hour = at_or_above(hour_.values, hour + 1, 24)) {
      for (auto minute = at_or_above(minute_.values, 0, 60); minute < 60;
           minute = at_or_above(minute_.values, minute + 1, 60)) {
        const WallMinute due = day * kMinutesOfDay + hour * kMinutesOfHour + minute;
        if (due < from) continue;
        const TimeZone::Moments at = zone.moments(due);
        if (hour_.is_star && at.last_at_ms > after_ms && at.last_at_ms > at.first_at_ms) {
          again_at_ms = std::min(again_at_ms.value_or(at.last_at_ms), at.last_at_ms);
        }
        if (at.first_at_ms > after_ms) {
          return std::min(again_at_ms.value_or(at.first_at_ms), at.first_at_ms);
        }
      }
    }
  }
  return again_at_ms;
}

}  // namespace rowlock
