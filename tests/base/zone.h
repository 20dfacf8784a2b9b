// Zones and moments as tests write them.
#pragma once

#include "controller/base/time_zone.h"

#include <criterion/criterion.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace rowlock {

inline TimeZone zone(const std::string& name) {
  auto loaded = TimeZone::load(name);
  cr_assert(loaded.ok(), "%s", loaded.ok() ? "" : loaded.error().message.c_str());
  return std::move(loaded).value();
}

// "2026-11-25T02:30:00", in UTC.
inline std::int64_t at(const char* text) {
  int year = 0;
  unsigned month = 0, day = 0;
  int hour = 0, minute = 0, second = 0;
  const int read =
      std::sscanf(text, "%d-%u-%uT%d:%d:%d", &year, &month, &day, &hour, &minute, &second);
  cr_assert(read == 6, "%s", text);
  const std::chrono::sys_days date =
      std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  return (date.time_since_epoch().count() * 86'400LL + hour * 3600 + minute * 60 + second) * 1000;
}

}  // namespace rowlock
