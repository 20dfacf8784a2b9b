// What the views keep is what restic keeps, of five years of backups in a zone whose clock is
// changed. The answers are of restic 0.14, which does not keep the oldest: that reason of ours is
// left out of the comparison, and model_test.cpp looks at it.
#include "controller/base/time_zone.h"
#include "tests/backup/kept_rows.h"
#include "tests/backup/restic_answers.h"

#include <criterion/criterion.h>

#include <cstdlib>

using rowlock::AnsweredPolicy;
using rowlock::Keep;
using rowlock::KeptRows;
using rowlock::kHourMs;
using rowlock::restic_answers;
using rowlock::ResticAnswers;

namespace {

void add(KeptRows& rows, const ResticAnswers& answers, std::size_t number) {
  const auto& backup = answers.backups[number];
  rows.add(static_cast<std::int64_t>(number), backup.taken_at_ms, backup.taken_on);
}

// Whether a day that is not of 24 hours may tell the two apart: restic counts days by the calendar.
bool is_near_the_cut(const ResticAnswers& answers, const AnsweredPolicy& policy,
                     std::int64_t number, std::int64_t count) {
  const std::int64_t latest_ms = answers.backups[static_cast<std::size_t>(count - 1)].taken_at_ms;
  const std::int64_t taken_ms = answers.backups[static_cast<std::size_t>(number)].taken_at_ms;
  return policy.is_within_days &&
         std::llabs(latest_ms - policy.keep.within_ms - taken_ms) <= kHourMs;
}

}  // namespace

Test(restic_answers, the_dates_are_those_of_our_own_calendar) {
  const ResticAnswers answers = restic_answers();
  const auto berlin = rowlock::TimeZone::load("Europe/Berlin");
  cr_assert(berlin.ok());

  for (const auto& backup : answers.backups) {
    cr_expect(berlin.value().local_date(backup.taken_at_ms) == backup.taken_on, "%s",
              backup.taken_on.c_str());
  }
}

Test(restic_answers, every_policy_keeps_the_same_for_the_same_reasons, .timeout = 300) {
  const ResticAnswers answers = restic_answers();
  cr_assert(answers.backups.size() >= 600 && answers.policies.size() >= 30);
  cr_assert(answers.counts.size() >= 8);
  KeptRows rows;
  std::size_t added = 0;
  int compared = 0;
  int near_the_cut = 0;

  for (const std::int64_t count : answers.counts) {
    for (; added < static_cast<std::size_t>(count); ++added) add(rows, answers, added);
    for (std::size_t i = 0; i < answers.policies.size(); ++i) {
      const AnsweredPolicy& policy = answers.policies[i];
      rows.set(policy.keep);
      auto ours = rows.kept();
      auto theirs = answers.kept.at({static_cast<std::int64_t>(i), count});
      cr_expect(ours.size() + rows.forgettable().size() == added);
      for (std::int64_t number = 0; number < count; ++number) {
        auto reasons = rowlock::reasons_but_oldest(ours[number]);
        auto expected = theirs[number];
        if (reasons != expected && is_near_the_cut(answers, policy, number, count)) {
          reasons.erase("within");
          expected.erase("within");
          ++near_the_cut;
        }
        cr_expect(reasons == expected, "policy %s, the first %ld: backup %ld: %s",
                  policy.text.c_str(), count, number, ours[number].c_str());
        ++compared;
      }
    }
  }
  cr_expect(near_the_cut <= 5, "%d of %d", near_the_cut, compared);
}

// Every day a backup more, and what no rule keeps is gone: the same that restic leaves, and never
// more than the rules can hold.
Test(restic_answers, five_years_of_forgetting_day_by_day_leave_the_same, .timeout = 300) {
  const ResticAnswers answers = restic_answers();
  cr_assert(answers.removed.size() >= 3);

  for (const auto& [number, removed] : answers.removed) {
    const AnsweredPolicy& policy = answers.policies[static_cast<std::size_t>(number)];
    cr_assert_eq(removed.size(), answers.backups.size());
    const Keep& keep = policy.keep;
    const std::int64_t yearly = keep.yearly < 0 ? 6 : keep.yearly;
    const std::int64_t bound = keep.last + keep.daily + keep.weekly + keep.monthly + yearly +
                               5 * keep.within_ms / rowlock::kDayMs + 6;
    KeptRows rows;
    rows.set(policy.keep);
    ResticAnswers::Numbers theirs;
    for (std::size_t step = 0; step < removed.size(); ++step) {
      add(rows, answers, step);
      theirs.insert(static_cast<std::int64_t>(step));
      for (const std::int64_t gone : removed[step]) theirs.erase(gone);
      for (const std::int64_t gone : rows.forgettable()) rows.expire(gone);

      ResticAnswers::Numbers ours;
      std::size_t oldest = 0;
      for (const auto& [id, reasons] : rows.kept()) {
        if (rowlock::reasons_but_oldest(reasons).empty()) {
          ++oldest;
        } else {
          ours.insert(id);
        }
      }
      cr_assert(ours == theirs, "policy %s, step %zu: %zu are kept, not %zu", policy.text.c_str(),
                step, ours.size(), theirs.size());
      cr_assert(oldest <= 1);
      cr_assert(static_cast<std::int64_t>(ours.size()) <= bound, "%zu", ours.size());
    }
  }
}
