// Backups of one policy as rows, and what the views say of them.
#pragma once

#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace rowlock {

// What a policy keeps; backup_keep.sql tells what the numbers mean.
struct Keep {
  std::int64_t last = 0;
  std::int64_t daily = 0;
  std::int64_t weekly = 0;
  std::int64_t monthly = 0;
  std::int64_t yearly = 0;
  std::int64_t within_ms = 0;
};

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;

class KeptRows {
 public:
  KeptRows();  // The policy `nightly`, at a clock that is far ahead of every backup.

  void sql(const std::string& statements);
  std::string text(const std::string& query);  // The first cell.

  void set(const Keep& keep, const std::string& policy = "nightly");
  void add(std::int64_t id, std::int64_t taken_at_ms, const std::string& taken_on,
           const std::string& policy = "nightly", const std::string& store = "here");
  void expire(std::int64_t id);

  // The reasons of each that is kept.
  std::map<std::int64_t, std::string> kept(const std::string& policy = "nightly");
  std::set<std::int64_t> forgettable(const std::string& policy = "nightly");
  // "1 daily, weekly · 2 last", by id.
  std::string kept_text(const std::string& policy = "nightly");

  Database& rows() { return rows_; }

 private:
  Schema schema_;
  Database rows_;
};

// Reasons without what only we or only restic say of them: "oldest weekly snapshot" is weekly,
// "within 30 days" is within.
std::string reason_word(const std::string& reason);
std::set<std::string> reason_words(const std::string& reasons);
// Those that do not begin with "oldest": what restic before 0.16 says.
std::set<std::string> reasons_but_oldest(const std::string& reasons);

}  // namespace rowlock
