// Reading what callers of the Vault-like interface write: numbers and durations in any of the forms
// that its clients use.
#pragma once

#include "controller/base/json.h"
#include "controller/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

// A whole number, written as one or as text. Absent when the value is null. Errors name `what`.
Result<std::optional<std::int64_t>> whole_number(const Json& value, std::string_view what);
Result<std::optional<std::int64_t>> whole_number(std::string_view text, std::string_view what);

// In milliseconds: seconds as a number, or text such as "90", "1h30m" or "1.5h" (Go's durations,
// and d for days). Absent when null or "". Never negative.
Result<std::optional<std::int64_t>> duration_ms(const Json& value, std::string_view what);
Result<std::optional<std::int64_t>> duration_ms(std::string_view text, std::string_view what);

// As Go prints it: "0s", "1h30m0s", "1.5s".
std::string go_duration(std::int64_t ms);

// A list of whole numbers, or one alone.
Result<std::vector<std::int64_t>> whole_numbers(const Json& value, std::string_view what);

// A list of texts, or one text with commas.
std::vector<std::string> texts_of(const Json& value);

}  // namespace rowlock
