// SQLite asks the authorizer while it compiles, and the progress handler between the steps of a
// statement.
#include "controller/store/reading_guard.h"

#include <string>
#include <string_view>

namespace rowlock {

namespace {

constexpr int kStepsPerLook = 1000;  // Virtual machine steps between two looks at the clock.
constexpr int kBytesMax = 1'000'000;
constexpr int kPatternMax = 200;
constexpr int kCompoundMax = 200;

using Moment = std::chrono::steady_clock::time_point;

// What works on values alone, each between blanks. Whatever else a build of SQLite has, such as
// fts3_tokenizer(), which takes an address, is not for queries of others.
constexpr std::string_view kHarmless =
    " -> ->> abs acos asin atan atan2 avg ceil ceiling char coalesce cos count"
    " cume_dist current_date current_time current_timestamp date datetime degrees"
    " dense_rank exp first_value floor format glob group_concat hex ifnull iif instr"
    " json json_array json_array_length json_each json_extract json_group_array"
    " json_group_object json_insert json_object json_patch json_quote json_remove"
    " json_replace json_set json_tree json_type json_valid julianday lag last_value"
    " lead length like likelihood likely ln log log10 log2 lower ltrim max min mod"
    " nth_value ntile nullif percent_rank pi pow power printf quote radians rank"
    " replace round row_number rtrim sign sin sqrt strftime substr substring sum tan"
    " time total trim trunc typeof unicode unixepoch unlikely upper zeroblob"
    " ";

bool is_harmless(std::string_view function) {
  return kHarmless.find(" " + std::string(function) + " ") != std::string_view::npos;
}

// Lets a statement read, and nothing else.
int allow_reading(void*, int action, const char*, const char* function, const char*, const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_FUNCTION:
      return function != nullptr && is_harmless(function) ? SQLITE_OK : SQLITE_DENY;
    default: return SQLITE_DENY;
  }
}

int stop_when_late(void* deadline) {
  return std::chrono::steady_clock::now() > *static_cast<const Moment*>(deadline) ? 1 : 0;
}

}  // namespace

ReadingGuard::ReadingGuard(sqlite3* handle, int time_max_ms)
    : handle_(handle),
      deadline_(std::chrono::steady_clock::now() + std::chrono::milliseconds(time_max_ms)),
      limits_{{{SQLITE_LIMIT_LENGTH, kBytesMax},
               {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, kPatternMax},
               {SQLITE_LIMIT_COMPOUND_SELECT, kCompoundMax}}} {
  sqlite3_set_authorizer(handle_, allow_reading, nullptr);
  sqlite3_progress_handler(handle_, kStepsPerLook, stop_when_late, &deadline_);
  for (auto& [limit, value] : limits_) value = sqlite3_limit(handle_, limit, value);
}

ReadingGuard::~ReadingGuard() {
  for (const auto& [limit, value] : limits_) sqlite3_limit(handle_, limit, value);
  sqlite3_progress_handler(handle_, 0, nullptr, nullptr);
  sqlite3_set_authorizer(handle_, nullptr, nullptr);
}

}  // namespace rowlock
