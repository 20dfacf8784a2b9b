// The rules of keeping, by examples.
#include "tests/backup/kept_rows.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <set>

using rowlock::kDayMs;
using rowlock::Keep;
using rowlock::KeptRows;
using rowlock::kHourMs;
using rowlock::Row;

namespace {

constexpr std::int64_t kMs = 1'767'225'600'000;  // 2026-01-01T00:00:00Z, a Thursday.

// One a day from January 1 on, numbered by the day of the year. Requires: at most 31.
void add_days(KeptRows& rows, int days) {
  for (int day = 1; day <= days; ++day) {
    rows.add(day, kMs + (day - 1) * kDayMs, fmt::format("2026-01-{:02}", day));
  }
}

// The byte code tells: a cursor on the table, or on an index of it, that begins at the first row.
bool walks_all_backups(KeptRows& rows, const std::string& query) {
  const auto code = rows.rows().query("EXPLAIN " + query);
  cr_assert(code.ok());
  std::set<std::int64_t> on_backups;
  for (const Row& row : code.value()) {
    const std::string opcode = row.text("opcode");
    if (opcode == "OpenRead" &&
        rows.text(fmt::format("SELECT tbl_name FROM sqlite_schema WHERE rootpage = {}",
                              row.integer("p2"))) == "backup") {
      on_backups.insert(row.integer("p1"));
    }
    if ((opcode == "Rewind" || opcode == "Last") && on_backups.contains(row.integer("p1"))) {
      return true;
    }
  }
  cr_assert(!on_backups.empty());
  return false;
}

}  // namespace

Test(backup_keep, each_rule_keeps_the_newest_of_its_periods) {
  KeptRows rows;
  add_days(rows, 20);

  rows.set({.last = 2});
  cr_expect(rows.kept_text() == "19 last · 20 last");
  rows.set({.daily = 1});
  cr_expect(rows.kept_text() == "20 daily");
  // The 4th, the 11th and the 18th are Sundays.
  rows.set({.weekly = 3});
  cr_expect(rows.kept_text() == "11 weekly · 18 weekly · 20 weekly");
  rows.set({.within_ms = 2 * kDayMs});
  cr_expect(rows.kept_text() == "19 within 2 days · 20 within 2 days");
  rows.set({.within_ms = 36 * kHourMs});
  cr_expect(rows.kept_text() == "19 within 36 hours · 20 within 36 hours");
}

Test(backup_keep, every_reason_is_named) {
  KeptRows rows;
  add_days(rows, 3);
  rows.set({1, 1, 1, 1, 1, kDayMs});

  cr_expect(rows.kept_text() == "3 last, daily, weekly, monthly, yearly, within 1 day");
  rows.set({-1, 0, 0, 0, 0, kHourMs});
  cr_expect(rows.kept_text() == "1 last · 2 last · 3 last, within 1 hour");
  rows.set({.within_ms = 90'000});
  cr_expect(rows.kept_text() == "3 within 90 seconds");
}

Test(backup_keep, the_oldest_stays_as_long_as_a_rule_has_some_left) {
  KeptRows rows;
  add_days(rows, 20);

  rows.set({.monthly = 2});
  cr_expect(rows.kept_text() == "1 oldest monthly · 20 monthly");
  rows.set({.monthly = 1});
  cr_expect(rows.kept_text() == "20 monthly");
  rows.set({.yearly = -1});
  cr_expect(rows.kept_text() == "1 oldest yearly · 20 yearly");
  rows.set({.daily = 2, .weekly = 10});
  cr_expect(rows.kept_text() ==
            "1 oldest weekly · 4 weekly · 11 weekly · 18 weekly · 19 daily · 20 daily, weekly");
}

Test(backup_keep, the_week_of_the_new_year_is_one_week) {
  KeptRows rows;
  // Monday December 28 to Sunday January 3, and the Sunday before.
  rows.add(1, kMs - 5 * kDayMs, "2020-12-27");
  rows.add(2, kMs - 4 * kDayMs, "2020-12-28");
  rows.add(3, kMs - 1 * kDayMs, "2020-12-31");
  rows.add(4, kMs, "2021-01-01");
  rows.add(5, kMs + 2 * kDayMs, "2021-01-03");
  rows.set({.weekly = 2});

  cr_expect(rows.kept_text() == "1 weekly · 5 weekly");
}

Test(backup_keep, a_policy_without_rules_and_one_that_is_gone_keep_everything) {
  KeptRows rows;
  add_days(rows, 2);

  cr_expect(rows.kept_text() == "1 no rule · 2 no rule");
  rows.sql("DELETE FROM backup_policy");
  cr_expect(rows.kept_text() == "1 no policy · 2 no policy");
  cr_expect(rows.forgettable().empty());
}

Test(backup_keep, only_whole_backups_count) {
  KeptRows rows;
  add_days(rows, 7);
  rows.sql(
      "UPDATE backup SET state = CASE id WHEN 3 THEN 'stored' WHEN 4 THEN 'verifying' "
      "WHEN 5 THEN 'failed' WHEN 6 THEN 'running' WHEN 7 THEN 'expired' ELSE state END");
  rows.set({.last = 2});

  cr_expect(rows.kept_text() == "3 last · 4 last");
  cr_expect(rows.forgettable() == std::set<std::int64_t>({1, 2}));
}

Test(backup_keep, each_store_and_each_policy_is_looked_at_by_itself) {
  KeptRows rows;
  rows.sql(
      "INSERT INTO backup_policy (name, store, keep_last, keep_daily, keep_weekly, keep_monthly) "
      "VALUES ('weekly', 'here', 1, 0, 0, 0)");
  rows.add(1, kMs, "2026-01-01", "nightly", "here");
  rows.add(2, kMs, "2026-01-01", "nightly", "far");
  rows.add(3, kMs + kDayMs, "2026-01-02", "nightly", "here");
  rows.add(4, kMs + kDayMs, "2026-01-02", "weekly", "here");
  rows.add(5, kMs + 2 * kDayMs, "2026-01-03", "weekly", "here");
  rows.set({.daily = 1, .within_ms = kHourMs});

  cr_expect(rows.kept_text() == "2 daily, within 1 hour · 3 daily, within 1 hour");
  cr_expect(rows.kept_text("weekly") == "5 last");
  cr_expect(rows.text("SELECT group_concat(id || policy || store) FROM backup_forgettable") ==
            "1nightlyhere,4weeklyhere");
}

// A backup from a clock that was a year ahead does not make all the others look old.
Test(backup_keep, one_from_the_future_is_not_the_latest) {
  KeptRows rows;
  add_days(rows, 3);
  rows.add(9, kMs + 365 * kDayMs, "2027-01-01");
  rows.set({.within_ms = 2 * kDayMs});

  cr_expect(rows.kept_text() == "9 within 2 days");
  rows.sql(fmt::format("UPDATE clock SET wall_ms = {}", kMs + 4 * kDayMs));
  cr_expect(rows.kept_text() == "2 within 2 days · 3 within 2 days · 9 within 2 days");
  rows.sql(fmt::format("UPDATE clock SET wall_ms = {}", kMs - kDayMs));
  cr_expect(rows.kept().size() == 4);
}

Test(backup_keep, a_question_for_one_policy_reads_the_backups_of_that_one) {
  KeptRows rows;

  for (const char* view : {"backup_kept", "backup_forgettable"}) {
    const std::string all = fmt::format("SELECT * FROM {}", view);
    cr_expect(!walks_all_backups(rows, all + " WHERE policy = :policy"), "%s", view);
    cr_expect(walks_all_backups(rows, all), "the test would see it");
  }
}
