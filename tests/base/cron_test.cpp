// What expressions mean, where the clock is never changed; cron_clock_test.cpp has the rest.
#include "controller/base/cron.h"

#include "controller/base/time.h"
#include "tests/base/zone.h"

#include <criterion/criterion.h>

#include <limits>
#include <random>

using rowlock::at;
using rowlock::Cron;
using rowlock::rfc3339;
using rowlock::zone;

namespace {

Cron parsed(const char* expression) {
  const auto cron = Cron::parse(expression);
  cr_assert(cron.ok(), "%s", cron.ok() ? "" : cron.error().message.c_str());
  return cron.value();
}

// The next moments in UTC, "2026-01-01T00:00 2026-01-02T00:00".
std::string next(const char* expression, const char* after, int count = 1) {
  const Cron cron = parsed(expression);
  std::int64_t now_ms = at(after);
  std::string all;
  for (int i = 0; i < count; ++i) {
    const auto due_ms = cron.next(now_ms, zone("UTC"));
    cr_assert(due_ms && *due_ms > now_ms, "%s", expression);
    now_ms = *due_ms;
    cr_expect_eq(now_ms % 60'000, 0);
    all += (i == 0 ? "" : " ") + rfc3339(now_ms).substr(0, 16);
  }
  return all;
}

// 2026-01-01 is a Thursday.
struct Case {
  const char* expression;
  const char* after;
  const char* next;
};

void expect(const Case& each) {
  const std::string due = next(each.expression, each.after);
  cr_expect(due == each.next, "%s after %s: %s", each.expression, each.after, due.c_str());
}

struct Wrong {
  const char* expression;
  const char* says;
};

void expect_refused(const Wrong& each) {
  const auto cron = Cron::parse(each.expression);
  cr_assert(!cron.ok(), "%s", each.expression);
  const std::string& message = cron.error().message;
  cr_expect(message.starts_with("cron expression \""), "%s", message.c_str());
  cr_expect(message.find(each.says) != std::string::npos, "%s", message.c_str());
  cr_expect(cron.error().fault == rowlock::Fault::rejected && !cron.error().hint.empty());
}

}  // namespace

Test(cron, every_rule_has_its_example) {
  const Case cases[] = {
      {"* * * * *", "2026-01-01T00:00:00", "2026-01-01T00:01"},
      {"* * * * *", "2026-01-01T00:00:59", "2026-01-01T00:01"},
      {"30 2 * * *", "2026-01-01T02:29:59", "2026-01-01T02:30"},
      {"30 2 * * *", "2026-01-01T02:30:00", "2026-01-02T02:30"},
      {"5 4 3 2 *", "2026-01-01T00:00:00", "2026-02-03T04:05"},
      {" 05\t04  003 02 * ", "2026-01-01T00:00:00", "2026-02-03T04:05"},
      {"59 23 31 12 *", "2026-01-01T00:00:00", "2026-12-31T23:59"},
      {"0 0 31 * *", "2026-02-01T00:00:00", "2026-03-31T00:00"},
      // Lists, ranges, steps.
      {"1,3,50 * * * *", "2026-01-01T00:03:00", "2026-01-01T00:50"},
      {"10-12 * * * *", "2026-01-01T00:12:00", "2026-01-01T01:10"},
      {"10-20/5,59 * * * *", "2026-01-01T00:15:00", "2026-01-01T00:20"},
      {"10-20/5,59 * * * *", "2026-01-01T00:20:00", "2026-01-01T00:59"},
      {"*/25 * * * *", "2026-01-01T00:25:00", "2026-01-01T00:50"},
      {"*/25 * * * *", "2026-01-01T00:50:00", "2026-01-01T01:00"},
      {"0 */23 * * *", "2026-01-01T00:00:00", "2026-01-01T23:00"},
      {"0 0 */10 * *", "2026-01-01T00:00:00", "2026-01-11T00:00"},
      {"0 0 1-31/2 * *", "2026-01-31T00:00:00", "2026-02-01T00:00"},
      {"7-7 * * * *", "2026-01-01T00:00:00", "2026-01-01T00:07"},
      // Names, in any case, in lists and ranges as well.
      {"0 0 1 feb *", "2026-01-01T00:00:00", "2026-02-01T00:00"},
      {"0 0 1 JUN-Aug,dec *", "2026-08-01T00:00:00", "2026-12-01T00:00"},
      {"0 0 * * mon", "2026-01-01T00:00:00", "2026-01-05T00:00"},
      {"0 0 * * MON-fri", "2026-01-02T00:00:00", "2026-01-05T00:00"},
      {"0 0 * * tue,sat", "2026-01-01T00:00:00", "2026-01-03T00:00"},
      // Sunday is 0 and 7, and ends the week as well as it begins it.
      {"0 0 * * 0", "2026-01-01T00:00:00", "2026-01-04T00:00"},
      {"0 0 * * 7", "2026-01-01T00:00:00", "2026-01-04T00:00"},
      {"0 0 * * sun", "2026-01-01T00:00:00", "2026-01-04T00:00"},
      {"0 0 * * sat-sun", "2026-01-03T00:00:00", "2026-01-04T00:00"},
      {"0 0 * * 5-7", "2026-01-03T00:00:00", "2026-01-04T00:00"},
      {"0 0 * * 6-0", "2026-01-04T00:00:00", "2026-01-10T00:00"},
      {"0 0 * * 0-1", "2026-01-04T00:00:00", "2026-01-05T00:00"},
      {"0 0 * * 0-7", "2026-01-01T00:00:00", "2026-01-02T00:00"},
  };
  for (const Case& each : cases) expect(each);
}

Test(cron, the_day_fields_have_rules_of_their_own) {
  const Case cases[] = {
      // Both restricted: either will do. One that begins with '*' is not restricted.
      {"0 0 13 * fri", "2026-01-01T00:00:00", "2026-01-02T00:00"},
      {"0 0 13 * fri", "2026-01-09T00:00:00", "2026-01-13T00:00"},
      {"0 0 30 feb mon", "2026-01-01T00:00:00", "2026-02-02T00:00"},
      {"0 0 13 * *", "2026-01-01T00:00:00", "2026-01-13T00:00"},
      {"0 0 * * fri", "2026-01-02T00:00:00", "2026-01-09T00:00"},
      {"0 0 */2 * fri", "2026-01-01T00:00:00", "2026-01-09T00:00"},
      {"0 0 1 * */2", "2026-01-01T00:00:00", "2026-02-01T00:00"},
      // Words.
      {"@hourly", "2026-01-01T00:00:00", "2026-01-01T01:00"},
      {"@daily", "2026-01-01T00:00:00", "2026-01-02T00:00"},
      {"@midnight", "2026-01-01T00:00:00", "2026-01-02T00:00"},
      {"@Weekly", "2026-01-01T00:00:00", "2026-01-04T00:00"},
      {"@monthly", "2026-01-01T00:00:00", "2026-02-01T00:00"},
      {"@yearly", "2026-01-01T00:00:00", "2027-01-01T00:00"},
      {"@annually", "2026-01-01T00:00:00", "2027-01-01T00:00"},
      // Leap days, also over the centuries, and those that fall on one weekday.
      {"0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00"},
      {"0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00"},
      {"0 0 29 2 */7", "2060-03-01T00:00:00", "2088-02-29T00:00"},
      {"0 0 29 2 */7", "2088-03-01T00:00:00", "2128-02-29T00:00"},
      // Before the epoch, and long after 2038.
      {"30 2 * * *", "1969-12-31T02:29:30", "1969-12-31T02:30"},
      {"30 2 * * *", "2038-01-19T03:14:07", "2038-01-20T02:30"},
      {"30 2 * * *", "2999-12-31T23:00:00", "3000-01-01T02:30"},
  };
  for (const Case& each : cases) expect(each);
}

Test(cron, moments_follow_one_another) {
  cr_expect(next("0 22 * * 1-5", "2026-01-01T22:00:00", 3) ==
            "2026-01-02T22:00 2026-01-05T22:00 2026-01-06T22:00");
  cr_expect(next("0 0 1,15 * wed", "2026-01-01T00:00:00", 4) ==
            "2026-01-07T00:00 2026-01-14T00:00 2026-01-15T00:00 2026-01-21T00:00");
}

Test(cron, after_the_last_year_there_is_nothing) {
  const Cron daily = parsed("@daily");

  cr_expect(!daily.next(std::numeric_limits<std::int64_t>::max(), zone("UTC")));
  cr_expect(!daily.next(at("9999-01-01T00:00:00"), zone("UTC")));
  cr_expect(daily.next(at("9998-12-30T12:00:00"), zone("UTC")) == at("9998-12-31T00:00:00"));
  cr_expect(daily.next(std::numeric_limits<std::int64_t>::min(), zone("UTC")) ==
            at("0001-01-02T00:00:00"));
}

Test(cron, what_is_wrong_is_said_with_the_field_what_it_holds_and_what_is_allowed) {
  const Wrong cases[] = {
      {"60 * * * *", "the minute is \"60\", but 0 to 59 is allowed"},
      {"-1 * * * *", "the minute is \"-1\", but 0 to 59 is allowed"},
      {"1.5 * * * *", "the minute is \"1.5\", but"},
      {"1, * * * *", "the minute is \"1,\", but"},
      {"1-,2 * * * *", "the minute is \"1-,2\", but"},
      {"5-1 * * * *", "the minute is \"5-1\", but"},
      {"1-2-3 * * * *", "the minute is \"1-2-3\", but"},
      {"99999999999999999999 * * * *", "the minute is \"99999999999999999999\", but"},
      {"** * * * *", "the minute is \"**\", but"},
      {"? * * * *", "the minute is \"?\", but"},
      {"mon * * * *", "the minute is \"mon\", but"},
      {"0 24 * * *", "the hour is \"24\", but 0 to 23 is allowed"},
      {"0 0 0 * *", "the day of the month is \"0\", but 1 to 31 is allowed"},
      {"0 0 32 * *", "the day of the month is \"32\", but 1 to 31 is allowed"},
      {"0 0 L * *", "the day of the month is \"L\", but"},
      {"0 0 1 0 *", "the month is \"0\", but 1 to 12 or jan to dec is allowed"},
      {"0 0 1 13 *", "the month is \"13\", but"},
      {"0 0 1 foo *", "the month is \"foo\", but"},
      {"0 0 1 january *", "the month is \"january\", but"},
      {"0 0 1 dec-feb *", "the month is \"dec-feb\", but"},
      {"0 0 * * 8",
       "the day of the week is \"8\", but 0 to 7 or sun to sat, where 0 and 7 are "
       "Sunday is allowed"},
      {"0 0 * * jan", "the day of the week is \"jan\", but"},
      {"0 0 * * fri-mon", "the day of the week is \"fri-mon\", but"},
      {"0 0 * * fri#2", "the day of the week is \"fri#2\", but"},
  };
  for (const Wrong& each : cases) expect_refused(each);
}

Test(cron, a_wrong_step_a_wrong_number_of_fields_and_a_day_that_never_comes_are_said) {
  const Wrong cases[] = {
      {"*/0 * * * *",
       "the minute is \"*/0\", but a step is allowed behind * or a range alone, "
       "from 1 to 59"},
      {"*/60 * * * *", "the minute is \"*/60\", but a step"},
      {"*/ * * * *", "the minute is \"*/\", but a step"},
      {"*/5/5 * * * *", "the minute is \"*/5/5\", but a step"},
      {"*/-5 * * * *", "the minute is \"*/-5\", but a step"},
      {"5/10 * * * *", "the minute is \"5/10\", but a step"},
      {"0 */24 * * *", "the hour is \"*/24\", but a step"},
      {"", "it has 0 fields, but five are needed"},
      {"   ", "it has 0 fields, but five are needed"},
      {"daily", "it has 1 field, but five are needed"},
      {"0 0 * *", "it has 4 fields, but five are needed"},
      {"0 0 0 * * *", "it has 6 fields, but five are needed"},
      {"@reboot", "there are only @hourly, @daily, @weekly, @monthly and @yearly"},
      {"@daily * * * *", "the minute is \"@daily\", but"},
      {"0 0 30 2 *", "the day of the month is \"30\", which no month \"2\" has"},
      {"0 0 30,31 feb *", "the day of the month is \"30,31\", which no month \"feb\" has"},
      {"0 0 31 2,4,6,9,11 *", "the day of the month is \"31\", which no month \"2,4,6,9,11\" has"},
      {"0 0 31 4 */2", "the day of the month is \"31\", which no month \"4\" has"},
  };
  for (const Wrong& each : cases) expect_refused(each);
}

// Any text is either read, and then due some time, or refused on one line of plain characters.
Test(cron, random_text_is_read_or_refused_in_one_sentence) {
  std::mt19937_64 random(5);
  const std::string letters = "0123456789*/-,  \t@abcdefghijlmnoprstuvwyMONfri?#L\n\xff\x80";
  const std::vector<std::string> words = {"*",   "*/5",   "0",      "59",  "1-5", "mon", "sun-sat",
                                          "31",  "2",     "29,30",  "feb", "@",   "/",   "-",
                                          "7",   "*/2,3", "@daily", ",",   "24",  "60",  "1-31/7",
                                          "0-0", "00012", "12345",  "jan", "fri", "1/2", "*-*"};
  int read = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    const bool is_words = random() % 2 == 0;
    const std::size_t length = is_words ? 4 + random() % 3 : random() % 30;
    for (std::size_t j = 0; j < length; ++j) {
      if (is_words) {
        text += random() % 2 == 0 ? "*" : words[random() % words.size()];
        text += random() % 32 == 0 ? "" : " ";
      } else {
        text += random() % 16 == 0 ? static_cast<char>(random() % 256)
                                   : letters[random() % letters.size()];
      }
    }
    const auto cron = Cron::parse(text);
    if (cron.ok()) {
      ++read;
      const auto due_ms = cron.value().next(at("2026-01-01T00:00:00"), zone("UTC"));
      cr_assert(due_ms && *due_ms > at("2026-01-01T00:00:00"), "%s is never due", text.c_str());
    } else {
      const std::string& message = cron.error().message;
      cr_assert(message.size() < 300 && message.find('\n') == std::string::npos, "%s",
                message.c_str());
      cr_assert(
          std::all_of(message.begin(), message.end(), [](char c) { return c >= ' ' && c <= '~'; }),
          "%s", message.c_str());
    }
  }
  cr_expect(read > 1000, "%d were read", read);
  cr_expect(!Cron::parse(std::string(10'000'000, '*')).ok());
  cr_expect(!Cron::parse(std::string(1'000'000, ' ') + "*").ok());
}
