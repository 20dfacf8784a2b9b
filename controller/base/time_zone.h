// Time zones by their names in the IANA database: what a clock on the wall there shows at a moment,
// and at which moment it shows that.
#pragma once

#include "controller/base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rowlock {

// A reading of the wall clock to the minute, as a number of minutes since it read 1970-01-01 00:00.
// Days are all of 1440 such minutes, even those on which the clock is changed.
using WallMinute = std::int64_t;

class TimeZone {
 public:
  // Rejected when there is no such zone. Names are as in Europe/Berlin, and UTC.
  static Result<TimeZone> load(std::string_view name);

  const std::string& name() const { return name_; }

  std::string local_date(std::int64_t at_ms) const;  // "2026-11-25"
  std::string local_text(std::int64_t at_ms) const;  // "2026-11-25 02:30 CET"

  // What the clock shows, without its seconds.
  WallMinute wall_minute(std::int64_t at_ms) const;

  // The moments at which that minute begins. When the clock is put forward past it, all three are
  // the moment of the change. When it is put back and so shows it twice, they differ.
  struct Moments {
    bool is_skipped = false;
    std::int64_t first_at_ms = 0;
    std::int64_t last_at_ms = 0;
  };
  Moments moments(WallMinute minute) const;

 private:
  struct Rules;

  TimeZone(std::string name, std::shared_ptr<const Rules> rules);

  std::string name_;
  std::shared_ptr<const Rules> rules_;  // Never changes, so that copies share it on any thread.
};

}  // namespace rowlock
