// JSON lets one thing be said in several ways: a list or a single value, a number or text. Here
// each has one meaning, the one that the RFC gives it.
#include "controller/secrets/claims.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <vector>

namespace rowlock {

namespace {

Error wrong(std::string message) { return {Fault::rejected, Cause::other, std::move(message), ""}; }

// A list is taken apart; anything else is a list of one. Nothing that is not there.
std::vector<Json> each_of(const Json& value) {
  return value.is_null()    ? std::vector<Json>()
         : value.is_array() ? value.items()
                            : std::vector<Json>{value};
}

// Text as it is, numbers and truth as JSON writes them; nothing else can be wanted.
std::optional<std::string> text_of_claim(const Json& value) {
  if (value.is_string()) {
    return value.as_string();
  }
  return value.is_null() || value.is_array() || value.is_object()
             ? std::nullopt
             : std::optional<std::string>(value.text());
}

// A moment in seconds; absent when it is no number.
std::optional<double> moment(const Json& value) {
  const double seconds = value.as_number(std::nan(""));
  return std::isnan(seconds) ? std::nullopt : std::optional<double>(seconds);
}

// "/a/b~1c" leads to the member "b/c" of the member "a"; in a list, a number counts from 0.
Json at_pointer(Json value, std::string_view pointer) {
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    std::string name;
    for (std::size_t i = 0; i < end; ++i) {
      const bool is_escape = pointer[i] == '~' && i + 1 < end;
      name += !is_escape ? pointer[i] : pointer[i + 1] == '1' ? '/' : '~';
      i += is_escape ? 1 : 0;
    }
    if (value.is_array()) {
      const std::vector<Json> items = value.items();
      std::size_t index = 0;
      while (index < items.size() && fmt::format("{}", index) != name) {
        ++index;
      }
      value = index < items.size() ? items[index] : Json();
    } else {
      value = value[name];
    }
    pointer.remove_prefix(end);
  }
  return value;
}

bool says_one_of(const Json& claim, const Json& wanted) {
  for (const Json& said : each_of(claim)) {
    const auto text = text_of_claim(said);
    for (const Json& pattern : each_of(wanted)) {
      const auto fits = text_of_claim(pattern);
      if (text.has_value() && fits.has_value() && fits_pattern(*text, *fits)) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

bool fits_pattern(std::string_view text, std::string_view pattern) {
  std::size_t at = 0;
  std::size_t want = 0;
  std::size_t star =
      std::string_view::npos;  // The last '*' met, and where what it stands for ends.
  std::size_t star_end = 0;
  while (at < text.size()) {
    if (want < pattern.size() && pattern[want] == '*') {
      star = want++;
      star_end = at;
    } else if (want < pattern.size() && pattern[want] == text[at]) {
      ++want;
      ++at;
    } else if (star != std::string_view::npos) {
      want = star + 1;
      at = ++star_end;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', want) == std::string_view::npos;
}

Result<> check_registered_claims(const Json& claims, std::string_view issuer,
                                 std::string_view audience, std::int64_t now_ms) {
  const double now_s = static_cast<double>(now_ms) / 1000;
  if (!claims["iss"].is_string() || claims["iss"].as_string() != issuer) {
    return wrong(fmt::format("its claim iss is not '{}'", issuer));
  }
  bool is_meant = false;
  for (const Json& name : each_of(claims["aud"])) {
    is_meant = is_meant || (name.is_string() && name.as_string() == audience);
  }
  if (!is_meant) {
    return wrong(fmt::format("its claim aud does not name '{}'", audience));
  }
  const auto expires = moment(claims["exp"]);
  if (!expires.has_value()) {
    return wrong("it has no claim exp: a token that never ends is not believed");
  }
  if (*expires <= now_s) {
    return wrong("it has expired (claim exp)");
  }
  for (const char* name : {"nbf", "iat"}) {
    if (claims[name].is_null()) {
      continue;
    }
    const auto begins = moment(claims[name]);
    if (!begins.has_value() || *begins > now_s + static_cast<double>(kClockSkewS)) {
      return wrong(fmt::format("it is not valid yet (claim {})", name));
    }
  }
  return Done{};
}

Result<> check_wanted_claims(const Json& claims, const Json& wanted) {
  for (const auto& [name, value] : wanted.members()) {
    const Json claim = name.starts_with('/') ? at_pointer(claims, name) : claims[name];
    if (!says_one_of(claim, value)) {
      return wrong(
          fmt::format("its claim {} is not as trust.claims wants it: {}", name, value.text()));
    }
  }
  return Done{};
}

}  // namespace rowlock
