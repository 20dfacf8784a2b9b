// Zones by name, and what their clocks show.
#include "controller/base/time_zone.h"

#include "controller/base/time.h"
#include "tests/base/zone.h"

#include <criterion/criterion.h>

#include <limits>

using rowlock::at;
using rowlock::TimeZone;
using rowlock::zone;

Test(time_zone, moments_are_written_as_the_clock_there_shows_them) {
  struct Case {
    const char* name;
    const char* moment;
    const char* date;
    const char* text;
  };
  const Case cases[] = {
      {"UTC", "2026-11-25T01:30:59", "2026-11-25", "2026-11-25 01:30 UTC"},
      {"Europe/Berlin", "2026-11-25T01:30:00", "2026-11-25", "2026-11-25 02:30 CET"},
      {"Europe/Berlin", "2026-07-31T22:00:00", "2026-08-01", "2026-08-01 00:00 CEST"},
      {"Europe/Berlin", "2040-07-01T00:00:00", "2040-07-01", "2040-07-01 02:00 CEST"},
      {"Europe/Berlin", "2399-07-01T00:00:00", "2399-07-01", "2399-07-01 02:00 CEST"},
      {"Asia/Kathmandu", "2026-01-01T18:15:00", "2026-01-02", "2026-01-02 00:00 +0545"},
      {"America/New_York", "2026-01-01T04:59:59", "2025-12-31", "2025-12-31 23:59 EST"},
      {"Australia/Lord_Howe", "2026-01-01T00:00:00", "2026-01-01", "2026-01-01 11:00 +11"},
      {"Pacific/Apia", "2011-12-30T09:59:00", "2011-12-29", "2011-12-29 23:59 -10"},
      {"Pacific/Apia", "2011-12-30T10:00:00", "2011-12-31", "2011-12-31 00:00 +14"},
  };
  for (const Case& each : cases) {
    const TimeZone there = zone(each.name);
    cr_expect(there.local_date(at(each.moment)) == each.date, "%s %s: %s", each.name, each.moment,
              there.local_date(at(each.moment)).c_str());
    cr_expect(there.local_text(at(each.moment)) == each.text, "%s %s: %s", each.name, each.moment,
              there.local_text(at(each.moment)).c_str());
  }
}

Test(time_zone, a_moment_beyond_the_years_of_four_digits_reads_as_the_nearest_within) {
  const TimeZone utc = zone("UTC");

  cr_expect(utc.local_date(std::numeric_limits<std::int64_t>::max()) == "9999-01-01");
  cr_expect(utc.local_date(std::numeric_limits<std::int64_t>::min()) == "0001-01-01");
}

Test(time_zone, a_minute_that_is_shown_twice_has_two_moments_and_a_skipped_one_that_of_the_change) {
  const TimeZone berlin = zone("Europe/Berlin");
  const rowlock::WallMinute gap = zone("UTC").wall_minute(at("2026-03-29T02:30:00"));
  const rowlock::WallMinute twice = zone("UTC").wall_minute(at("2026-10-25T02:30:00"));

  cr_expect(berlin.moments(gap).is_skipped);
  cr_expect(berlin.moments(gap).first_at_ms == at("2026-03-29T01:00:00"));
  cr_expect(berlin.moments(twice).first_at_ms == at("2026-10-25T00:30:00"));
  cr_expect(berlin.moments(twice).last_at_ms == at("2026-10-25T01:30:00"));
  cr_expect(berlin.wall_minute(at("2026-10-25T00:30:59")) == twice);
  cr_expect(berlin.wall_minute(at("2026-10-25T01:30:00")) == twice);
}

Test(time_zone, a_name_that_is_none_is_refused_in_one_sentence_with_an_example) {
  for (const char* name : {"",
                           "Berlin",
                           "europe/berlin",
                           "Europe",
                           "Europe/",
                           "/usr/share/zoneinfo/Europe/Berlin",
                           "../zoneinfo/Europe/Berlin",
                           "Europe/../Europe/Berlin",
                           "./UTC",
                           "right/Europe/Berlin",
                           "localtime",
                           "zone.tab",
                           "tzdata.zi",
                           "leapseconds",
                           "file:Europe/Berlin",
                           ":UTC",
                           "libc:localtime",
                           "Europe/Berlin ",
                           "Europe/Berlin\n",
                           "\xff\x01",
                           "CET-1CEST,M3.5.0,M10.5.0/3"}) {
    const auto loaded = TimeZone::load(name);
    cr_assert(!loaded.ok(), "%s", name);
    cr_expect(loaded.error().fault == rowlock::Fault::rejected);
    cr_expect(loaded.error().message.starts_with("there is no time zone \""), "%s",
              loaded.error().message.c_str());
    cr_expect(loaded.error().hint.find("Europe/Berlin") != std::string::npos);
  }
  cr_expect(!TimeZone::load(std::string(100'000, 'a')).ok());
  cr_expect(!TimeZone::load(std::string_view("UTC\0", 4)).ok());
}
