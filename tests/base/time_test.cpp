// Moments and durations, as text.
#include "controller/base/time.h"

#include <criterion/criterion.h>

#include <ctime>
#include <limits>

using rowlock::human_duration;
using rowlock::parse_duration;
using rowlock::rfc3339;

namespace {

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();

}  // namespace

Test(time_text, moments_are_written_in_utc_with_milliseconds) {
  struct Case {
    std::int64_t at_ms;
    const char* text;
  };
  const Case cases[] = {{0, "1970-01-01T00:00:00.000Z"},
                        {1795345948123, "2026-11-22T11:12:28.123Z"},
                        {951782400000, "2000-02-29T00:00:00.000Z"},
                        {-1, "1969-12-31T23:59:59.999Z"},
                        {kLowest, "0000-01-01T00:00:00.000Z"},
                        {kHighest, "9999-12-31T23:59:59.999Z"}};
  for (const Case& each : cases) {
    const std::string text = rfc3339(each.at_ms);
    cr_expect(text == each.text, "%s, not %s", text.c_str(), each.text);
  }
}

Test(time_text, durations_are_written_for_people) {
  struct Case {
    std::int64_t ms;
    const char* text;
  };
  const Case cases[] = {{0, "0 ms"},
                        {450, "450 ms"},
                        {999, "999 ms"},
                        {1000, "1 s"},
                        {4999, "4 s"},
                        {60000, "1 min"},
                        {123000, "2 min 3 s"},
                        {3600000, "1 h"},
                        {11520000, "3 h 12 min"},
                        {86400000, "1 d"},
                        {439200000, "5 d 2 h"},
                        {-4000, "-4 s"},
                        {kLowest, "-106751991167 d 7 h"}};
  for (const Case& each : cases) {
    const std::string text = human_duration(each.ms);
    cr_expect(text == each.text, "%s, not %s", text.c_str(), each.text);
  }
}

Test(time_text, durations_are_read_with_a_unit_or_as_seconds) {
  struct Case {
    const char* text;
    std::int64_t ms;
  };
  const Case cases[] = {{"30s", 30000}, {"5m", 300000},   {"5min", 300000}, {"2h", 7200000},
                        {"500ms", 500}, {"1d", 86400000}, {"7", 7000},      {"0", 0}};
  for (const Case& each : cases) {
    const auto duration = parse_duration(each.text);
    cr_assert(duration.ok(), "%s", each.text);
    cr_expect_eq(duration.value(), each.ms, "%s", each.text);
  }
}

Test(time_text, what_is_no_duration_is_rejected_with_a_hint) {
  const char* const cases[] = {"",
                               "s",
                               "-1",
                               "-0",
                               "+1",
                               "1.5s",
                               "5 m",
                               " 5m",
                               "1h30m",
                               "30S",
                               "5x",
                               "0x5",
                               "9223372036854775807",
                               "99999999999999999999",
                               "106751991168d"};
  for (const char* text : cases) {
    const auto duration = parse_duration(text);
    cr_assert_not(duration.ok(), "\"%s\" was read", text);
    cr_expect(duration.error().fault == rowlock::Fault::rejected);
    cr_expect_not(duration.error().hint.empty());
  }
}

Test(time_text, the_system_clock_agrees_with_the_system) {
  const std::int64_t before = static_cast<std::int64_t>(std::time(nullptr)) * 1000;

  const std::int64_t now = rowlock::system_now_ms();

  cr_assert_geq(now, before);
  cr_assert_lt(now, before + 60000);
}
