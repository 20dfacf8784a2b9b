// Five-field cron expressions, as Vixie's cron has them: minute, hour, day of the month, month, day
// of the week, each of numbers, names, ranges, lists and steps, or one word such as @daily.
//
// Two days are not of 24 hours. What is due while the clock is put forward past it runs once, at
// the end of the gap; what is due while the clock shows an hour for the second time has run at the
// first. Only when the hour field begins with '*' does it run in both: it is meant by the hour and
// not by the clock. So no day is skipped, and nothing runs twice.
#pragma once

#include "controller/base/result.h"
#include "controller/base/time_zone.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace rowlock {

class Cron {
 public:
  // Rejected when it cannot be read, and when no day there is could ever match, as February 30.
  static Result<Cron> parse(std::string_view expression);

  // The first moment after that one at which it is due. The years 1 to 9998 are walked; nothing
  // when all of them are over.
  std::optional<std::int64_t> next(std::int64_t after_ms, const TimeZone& zone) const;

 private:
  struct Field {
    std::uint64_t values = 0;  // Bit N: the number N is among them.
    bool is_star = false;      // Begins with '*', which says that it is no restriction.
  };

  static Result<Field> parse_field(std::string_view text, std::size_t which,
                                   std::string_view expression);
  bool can_match() const;
  bool is_day(std::int64_t day) const;  // In days since 1970-01-01.

  Field minute_;
  Field hour_;
  Field day_of_month_;
  Field month_;
  Field day_of_week_;  // Sunday is bit 0.
};

}  // namespace rowlock
