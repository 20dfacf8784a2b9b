// What restic answered for a simulated five years of backups, as make_restic_answers.py wrote it
// down. A line is one of
//   backup NUMBER AT_MS LOCAL_DATE                      numbers count from 0, times go up
//   policy NUMBER LAST DAILY WEEKLY MONTHLY YEARLY WITHIN     -1: all; WITHIN: 36h, 30d or none
//   kept POLICY COUNT REASON NUMBERS                    of the first COUNT backups, for that reason
//   stepped POLICY NUMBER NUMBERS                       removed once that backup had been made,
//   from
//                                                       among those that earlier steps left; or
//                                                       none
// where NUMBERS are such as "3 5-9".
#pragma once

#include "tests/backup/kept_rows.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace rowlock {

struct AnsweredBackup {
  std::int64_t taken_at_ms = 0;
  std::string taken_on;
};

struct AnsweredPolicy {
  Keep keep;
  bool is_within_days = false;  // By the calendar, whose days are not all of 24 hours.
  std::string text;
};

struct ResticAnswers {
  using Numbers = std::set<std::int64_t>;

  std::vector<AnsweredBackup> backups;
  std::vector<AnsweredPolicy> policies;
  std::set<std::int64_t> counts;
  // By policy and count: the reasons of each that is kept.
  std::map<std::pair<std::int64_t, std::int64_t>, std::map<std::int64_t, std::set<std::string>>>
      kept;
  // By policy: what each step removed.
  std::map<std::int64_t, std::vector<Numbers>> removed;
};

ResticAnswers restic_answers();

}  // namespace rowlock
