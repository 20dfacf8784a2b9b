// Vault's clients write the same value as number or text, and durations as Go does; all forms end
// here as one type.
#include "controller/serve/vault/vault_api_values.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace rowlock {

namespace {

constexpr double kDurationMaxMs = 9e15;  // Far beyond any date, and exact in a double.

Error not_a(std::string_view kind, std::string_view what, std::string_view given) {
  return {Fault::rejected, Cause::other, fmt::format("{} is not a {}: {}", what, kind, given), ""};
}

// How many milliseconds the unit at the head of `text` is, which is moved past it; 0: it is none.
double take_unit(std::string_view& text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ns", 1e-6}, {"us", 1e-3}, {"µs", 1e-3}, {"ms", 1},
      {"s", 1e3},   {"m", 6e4},   {"h", 36e5},  {"d", 864e5},
  };
  for (const auto& [unit, ms] : kUnits) {
    if (text.starts_with(unit)) {
      text.remove_prefix(unit.size());
      return ms;
    }
  }
  return 0;
}

}  // namespace

Result<std::optional<std::int64_t>> whole_number(std::string_view text, std::string_view what) {
  if (text.empty()) {
    return std::optional<std::int64_t>();
  }
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, number);
  if (status != std::errc() || rest != end) {
    return not_a("whole number", what, text);
  }
  return std::optional<std::int64_t>(number);
}

Result<std::optional<std::int64_t>> whole_number(const Json& value, std::string_view what) {
  if (value.is_null()) {
    return std::optional<std::int64_t>();
  }
  if (value.is_string()) {
    return whole_number(value.as_string(), what);
  }
  const double number = value.as_number(std::nan(""));
  if (std::isnan(number) || std::floor(number) != number || std::abs(number) > kDurationMaxMs) {
    return not_a("whole number", what, value.text());
  }
  return std::optional<std::int64_t>(value.as_integer());
}

Result<std::optional<std::int64_t>> duration_ms(std::string_view text, std::string_view what) {
  if (text.empty()) {
    return std::optional<std::int64_t>();
  }
  const Error error = not_a("duration such as 90, 30s or 1h30m", what, text);
  double all = 0;
  std::string_view left = text;
  while (!left.empty()) {
    double number = 0;
    const char* end = left.data() + left.size();
    const auto [rest, status] = std::from_chars(left.data(), end, number, std::chars_format::fixed);
    if (status != std::errc() || left.front() == '-') {
      return error;
    }
    const bool is_alone = left.size() == text.size() && rest == end;
    left.remove_prefix(static_cast<std::size_t>(rest - left.data()));
    const double unit = is_alone ? 1e3 : take_unit(left);
    if (unit == 0) {
      return error;
    }
    all += number * unit;
  }
  if (!(all >= 0 && all <= kDurationMaxMs)) {
    return error;
  }
  return std::optional<std::int64_t>(static_cast<std::int64_t>(all));
}

Result<std::optional<std::int64_t>> duration_ms(const Json& value, std::string_view what) {
  if (value.is_null()) {
    return std::optional<std::int64_t>();
  }
  const std::string text = value.is_string() ? value.as_string() : value.text();
  return duration_ms(text, what);
}

std::string go_duration(std::int64_t ms) {
  const std::int64_t hours = ms / 3'600'000;
  const std::int64_t minutes = ms / 60'000 % 60;
  std::string text;
  if (hours > 0) {
    text += fmt::format("{}h", hours);
  }
  if (hours > 0 || minutes > 0) {
    text += fmt::format("{}m", minutes);
  }
  return text + fmt::format("{}s", static_cast<double>(ms % 60'000) / 1000);
}

Result<std::vector<std::int64_t>> whole_numbers(const Json& value, std::string_view what) {
  std::vector<std::int64_t> numbers;
  for (const Json& item : value.is_array() ? value.items() : std::vector<Json>{value}) {
    const auto number = TRY(whole_number(item, what));
    if (number.has_value()) {
      numbers.push_back(*number);
    }
  }
  return numbers;
}

std::vector<std::string> texts_of(const Json& value) {
  std::vector<std::string> texts;
  for (const Json& item : value.items()) {
    texts.push_back(item.as_string());
  }
  const std::string list = value.as_string();
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    texts.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return texts;
}

}  // namespace rowlock
