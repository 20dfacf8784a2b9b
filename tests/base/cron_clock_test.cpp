// Schedules where the clock is changed: by examples of the zones where that is done oddly, and by
// comparison with somebody who looks at the clock on the wall every minute for years.
#include "controller/base/cron.h"
#include "controller/base/time.h"
#include "tests/base/zone.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <vector>

using rowlock::at;
using rowlock::Cron;
using rowlock::rfc3339;
using rowlock::TimeZone;
using rowlock::WallMinute;
using rowlock::zone;

namespace {

constexpr std::int64_t kMinuteMs = 60'000;

// The next moments in UTC, "2026-01-01T00:00 2026-01-02T00:00".
std::string next(const char* expression, const char* where, const char* after, int count) {
  const auto cron = Cron::parse(expression);
  cr_assert(cron.ok());
  const TimeZone there = zone(where);
  std::int64_t now_ms = at(after);
  std::string all;
  for (int i = 0; i < count; ++i) {
    const auto due_ms = cron.value().next(now_ms, there);
    cr_assert(due_ms && *due_ms > now_ms, "%s", expression);
    now_ms = *due_ms;
    all += (i == 0 ? "" : " ") + rfc3339(now_ms).substr(0, 16);
  }
  return all;
}

struct Case {
  const char* zone;
  const char* expression;
  const char* after;
  const char* next;  // In UTC, several.
};

void expect(const Case& each) {
  const int count = 1 + static_cast<int>(std::count(each.next, each.next + strlen(each.next), ' '));
  const std::string due = next(each.expression, each.zone, each.after, count);
  cr_expect(due == each.next, "%s in %s after %s: %s", each.expression, each.zone, each.after,
            due.c_str());
}

// One field, as text and as what it means.
struct DrawnField {
  std::string text;
  std::set<int> values;
  bool is_star = false;
};

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}

  int below(int bound) { return static_cast<int>(random_() % static_cast<std::uint64_t>(bound)); }

  DrawnField field(int lowest, int highest, int star_percent) {
    DrawnField field;
    if (below(100) < star_percent) {
      field.is_star = true;
      const int step = below(3) == 0 ? 1 + below(highest) : 1;
      field.text = step == 1 ? "*" : fmt::format("*/{}", step);
      for (int value = lowest; value <= highest; value += step) field.values.insert(value);
      return field;
    }
    const int parts = 1 + below(3);
    for (int i = 0; i < parts; ++i) {
      const int first = lowest + below(highest - lowest + 1);
      const int last = below(2) == 0 ? first : first + below(highest - first + 1);
      const int step = last > first && below(2) == 0 ? 1 + below(highest) : 1;
      field.text += (i == 0 ? "" : ",") + std::to_string(first);
      if (last > first) field.text += fmt::format("-{}", last);
      if (step > 1) field.text += fmt::format("/{}", step);
      for (int value = first; value <= last; value += step) field.values.insert(value);
    }
    return field;
  }

 private:
  std::mt19937_64 random_;
};

struct DrawnCron {
  DrawnField minute, hour, day, month, weekday;

  explicit DrawnCron(Draw& draw)
      : minute(draw.field(0, 59, 15)),
        hour(draw.field(0, 23, 40)),
        day(draw.field(1, 31, 70)),
        // Every "*/n" has January in it, which has every day.
        month(draw.field(1, 12, !day.is_star && *day.values.begin() > 28 ? 100 : 80)),
        weekday(draw.field(0, 7, 70)) {
    if (weekday.values.contains(7)) weekday.values.insert(0);
  }

  std::string text() const {
    return fmt::format("{} {} {} {} {}", minute.text, hour.text, day.text, month.text,
                       weekday.text);
  }

  bool matches(WallMinute shown) const {
    if (!minute.values.contains(static_cast<int>(shown % 60))) return false;
    if (!hour.values.contains(static_cast<int>(shown / 60 % 24))) return false;
    const std::time_t seconds = shown * 60;
    std::tm date{};
    gmtime_r(&seconds, &date);
    const bool is_date = day.values.contains(date.tm_mday);
    const bool is_weekday = weekday.values.contains(date.tm_wday);
    return month.values.contains(date.tm_mon + 1) &&
           (day.is_star || weekday.is_star ? is_date && is_weekday : is_date || is_weekday);
  }
};

// What the clock shows at each minute from a moment on.
std::vector<WallMinute> watched(const TimeZone& there, std::int64_t from_ms, int days) {
  std::vector<WallMinute> shown;
  for (int i = 0; i < days * 1440; ++i) shown.push_back(there.wall_minute(from_ms + i * kMinuteMs));
  return shown;
}

// The rule in words: what is due in a gap is due at its end; what was shown before is not due again
// unless the hour field begins with '*'.
std::vector<std::int64_t> due_by_watching(const DrawnCron& cron,
                                          const std::vector<WallMinute>& shown,
                                          std::int64_t from_ms) {
  std::vector<std::int64_t> due;
  WallMinute highest = shown[0];
  for (std::size_t i = 1; i < shown.size(); ++i) {
    bool is_due = (shown[i] > highest || cron.hour.is_star) && cron.matches(shown[i]);
    for (WallMinute skipped = shown[i - 1] + 1; skipped < shown[i] && !is_due; ++skipped) {
      is_due = skipped > highest && cron.matches(skipped);
    }
    highest = std::max(highest, shown[i]);
    if (is_due) due.push_back(from_ms + static_cast<std::int64_t>(i) * kMinuteMs);
  }
  return due;
}

}  // namespace

Test(cron_clock, what_is_due_in_a_gap_runs_once_at_its_end) {
  const Case cases[] = {
      // 02:00 → 03:00 at 01:00 UTC.
      {"Europe/Berlin", "30 2 * * *", "2026-03-27T12:00:00",
       "2026-03-28T01:30 2026-03-29T01:00 2026-03-30T00:30"},
      {"Europe/Berlin", "0 2 * * *", "2026-03-28T12:00:00", "2026-03-29T01:00 2026-03-30T00:00"},
      {"Europe/Berlin", "59 2 29 3 *", "2026-01-01T00:00:00", "2026-03-29T01:00 2027-03-29T00:59"},
      {"Europe/Berlin", "0,15,30,45 2 * * *", "2026-03-28T12:00:00",
       "2026-03-29T01:00 2026-03-30T00:00"},
      {"Europe/Berlin", "30 2,3 * * *", "2026-03-28T12:00:00", "2026-03-29T01:00 2026-03-29T01:30"},
      {"Europe/Berlin", "0 2,3 * * *", "2026-03-28T12:00:00", "2026-03-29T01:00 2026-03-30T00:00"},
      {"Europe/Berlin", "*/30 * * * *", "2026-03-29T00:15:00",
       "2026-03-29T00:30 2026-03-29T01:00 2026-03-29T01:30"},
      {"Europe/Berlin", "0 */2 * * *", "2026-03-28T22:00:00",
       "2026-03-28T23:00 2026-03-29T01:00 2026-03-29T02:00"},
      {"Europe/Berlin", "30 2 * * *", "2040-03-24T12:00:00", "2040-03-25T01:00 2040-03-26T00:30"},
      {"America/New_York", "30 2 * * *", "2026-03-07T12:00:00",
       "2026-03-08T07:00 2026-03-09T06:30"},
      // By half an hour: 02:00 → 02:30 at 15:30 UTC of the day before.
      {"Australia/Lord_Howe", "15 2 * * *", "2026-10-02T18:00:00",
       "2026-10-03T15:30 2026-10-04T15:15"},
      {"Australia/Lord_Howe", "30 2 * * *", "2026-10-02T18:00:00",
       "2026-10-03T15:30 2026-10-04T15:30"},
      // At midnight, where a day has no 00:00: 2018-11-04 in São Paulo begins at 01:00.
      {"America/Sao_Paulo", "@daily", "2018-11-03T12:00:00", "2018-11-04T03:00 2018-11-05T02:00"},
      // A whole day: after December 29 came the 31st.
      {"Pacific/Apia", "30 2 * * *", "2011-12-29T00:00:00",
       "2011-12-29T12:30 2011-12-30T10:00 2011-12-30T12:30"},
      {"Pacific/Apia", "0 12 30 12 *", "2011-01-01T00:00:00", "2011-12-30T10:00 2012-12-29T22:00"},
      {"Pacific/Apia", "0 * * * fri", "2011-12-29T00:00:00", "2011-12-30T10:00 2012-01-05T10:00"},
  };
  for (const Case& each : cases) expect(each);
}

Test(cron_clock, what_is_due_in_a_repeated_hour_runs_at_the_first_unless_it_is_meant_by_the_hour) {
  const Case cases[] = {
      // 03:00 → 02:00 at 01:00 UTC.
      {"Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00", "2026-10-25T00:30 2026-10-26T01:30"},
      {"Europe/Berlin", "30 2 * * *", "2026-10-25T00:45:00", "2026-10-26T01:30"},
      {"Europe/Berlin", "30 2 * * *", "2026-10-25T01:15:00", "2026-10-26T01:30"},
      {"Europe/Berlin", "0,30 2-3 * * *", "2026-10-24T12:00:00",
       "2026-10-25T00:00 2026-10-25T00:30 2026-10-25T02:00 2026-10-25T02:30"},
      {"Europe/Berlin", "*/30 0-23 * * *", "2026-10-24T23:45:00",
       "2026-10-25T00:00 2026-10-25T00:30 2026-10-25T02:00"},
      {"Europe/Berlin", "30 * * * *", "2026-10-24T23:45:00",
       "2026-10-25T00:30 2026-10-25T01:30 2026-10-25T02:30"},
      {"Europe/Berlin", "30 * * * *", "2026-10-25T00:45:00", "2026-10-25T01:30"},
      {"Europe/Berlin", "15 */2 * * *", "2026-10-24T23:45:00",
       "2026-10-25T00:15 2026-10-25T01:15 2026-10-25T03:15"},
      {"Europe/Berlin", "30 2 * * *", "2045-10-28T12:00:00", "2045-10-29T00:30 2045-10-30T01:30"},
      {"America/New_York", "30 1 * * *", "2026-10-31T12:00:00",
       "2026-11-01T05:30 2026-11-02T06:30"},
      {"America/New_York", "0 * * * *", "2026-11-01T04:30:00",
       "2026-11-01T05:00 2026-11-01T06:00 2026-11-01T07:00"},
      // By half an hour: 02:00 → 01:30 at 15:00 UTC of the day before.
      {"Australia/Lord_Howe", "45 1 * * *", "2026-04-03T18:00:00",
       "2026-04-04T14:45 2026-04-05T15:15"},
      {"Australia/Lord_Howe", "45 * * * *", "2026-04-04T14:00:00",
       "2026-04-04T14:45 2026-04-04T15:15 2026-04-04T16:15"},
      // Never changed, a quarter of an hour off.
      {"Asia/Kathmandu", "0 0 * * *", "2026-01-01T00:00:00", "2026-01-01T18:15 2026-01-02T18:15"},
  };
  for (const Case& each : cases) expect(each);
}

Test(cron_clock, years_of_watching_the_clock_give_the_same_moments) {
  struct Where {
    const char* zone;
    const char* from;
    int days;
  };
  const Where places[] = {
      {"UTC", "2026-01-01T00:00:00", 800},
      {"Europe/Berlin", "2025-01-01T00:00:00", 1200},
      {"Europe/Berlin", "2039-01-01T00:00:00", 800},
      {"America/New_York", "2026-01-01T00:00:00", 1200},
      {"Australia/Lord_Howe", "2026-01-01T00:00:00", 1200},
      {"Asia/Kathmandu", "1985-01-01T00:00:00", 800},
      {"Pacific/Apia", "2010-06-01T00:00:00", 1200},
      {"America/Sao_Paulo", "2016-06-01T00:00:00", 1200},
      {"Africa/Casablanca", "2024-01-01T00:00:00", 800},
  };
  Draw draw(2026);
  std::int64_t compared = 0;
  for (const Where& where : places) {
    const TimeZone there = zone(where.zone);
    const std::int64_t from_ms = at(where.from);
    const std::vector<WallMinute> shown = watched(there, from_ms, where.days);
    for (int i = 0; i < 20; ++i) {
      const DrawnCron drawn(draw);
      const auto cron = Cron::parse(drawn.text());
      cr_assert(cron.ok(), "%s", cron.ok() ? "" : cron.error().message.c_str());
      std::int64_t now_ms = from_ms;
      for (const std::int64_t expected : due_by_watching(drawn, shown, from_ms)) {
        const std::int64_t due_ms = cron.value().next(now_ms, there).value_or(0);
        cr_assert(due_ms == expected, "%s in %s after %s: %s, not %s", drawn.text().c_str(),
                  where.zone, rfc3339(now_ms).c_str(), rfc3339(due_ms).c_str(),
                  rfc3339(expected).c_str());
        now_ms = due_ms;
        ++compared;
      }
    }
  }
  cr_expect(compared > 100'000, "%ld moments", compared);
}

// Wherever one begins, the answer is the first of the moments that come after.
Test(cron_clock, the_next_moment_is_after_the_one_given_and_none_lies_between) {
  Draw draw(7);
  for (const char* name : {"Europe/Berlin", "Australia/Lord_Howe", "America/New_York"}) {
    const TimeZone there = zone(name);
    const std::int64_t from_ms = at("2026-01-01T00:00:00");
    const std::vector<WallMinute> shown = watched(there, from_ms, 366);
    for (int i = 0; i < 20; ++i) {
      const DrawnCron drawn(draw);
      const auto cron = Cron::parse(drawn.text());
      cr_assert(cron.ok());
      const std::vector<std::int64_t> due = due_by_watching(drawn, shown, from_ms);
      for (int j = 0; j < 300 && !due.empty(); ++j) {
        const std::int64_t now_ms =
            from_ms + draw.below(366 * 1440) * kMinuteMs + draw.below(3) * 29'999;
        const auto expected = std::upper_bound(due.begin(), due.end(), now_ms);
        if (expected == due.end()) continue;
        cr_assert(cron.value().next(now_ms, there) == *expected, "%s in %s after %s",
                  drawn.text().c_str(), name, rfc3339(now_ms).c_str());
      }
    }
  }
}
