// The only includer of Abseil, whose zones are right after 2037 too.
#include "controller/base/time_zone.h"

#include <absl/time/time.h>
#include <fmt/format.h>

#include <algorithm>

namespace rowlock {
namespace {

constexpr std::size_t kNameMax = 64;
constexpr std::size_t kShownMax = 80;
constexpr std::int64_t kYear1AtMs = -62135596800000;     // 0001-01-01T00:00:00Z
constexpr std::int64_t kYear9999AtMs = 253370764800000;  // 9999-01-01T00:00:00Z

// Years of one to four digits, whatever is asked.
absl::Time clamped(std::int64_t at_ms) {
  return absl::FromUnixMillis(std::clamp(at_ms, kYear1AtMs, kYear9999AtMs));
}

bool is_plain(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '_' || c == '-' || c == '+';
  });
}

// A name is a path below the folder of the zones, and must not lead out of it. The ones below
// right/ count leap seconds, which nothing else here does, and localtime is another zone on every
// machine.
bool names_a_zone(std::string_view name) {
  return !name.empty() && name.size() <= kNameMax && is_plain(name) && name.front() != '/' &&
         !name.starts_with("right/") && name != "localtime";
}

std::string shown(std::string_view name) {
  std::string text(name.substr(0, kShownMax));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

struct TimeZone::Rules {
  absl::TimeZone zone;
};

TimeZone::TimeZone(std::string name, std::shared_ptr<const Rules> rules)
    : name_(std::move(name)), rules_(std::move(rules)) {}

Result<TimeZone> TimeZone::load(std::string_view name) {
  auto rules = std::make_shared<Rules>();
  std::string text(name);
  if (names_a_zone(name) && absl::LoadTimeZone(text, &rules->zone)) {
    return TimeZone(std::move(text), std::move(rules));
  }
  absl::TimeZone known;
  Error error;
  error.fault = Fault::rejected;
  error.message = fmt::format("there is no time zone \"{}\"", shown(name));
  error.hint = absl::LoadTimeZone("Europe/Berlin", &known)
                   ? "write it as in Europe/Berlin, America/New_York or UTC"
                   : "this machine knows no time zone but UTC: install the package tzdata";
  return error;
}

std::string TimeZone::local_date(std::int64_t at_ms) const {
  return absl::FormatTime("%E4Y-%m-%d", clamped(at_ms), rules_->zone);
}

std::string TimeZone::local_text(std::int64_t at_ms) const {
  return absl::FormatTime("%E4Y-%m-%d %H:%M %Z", clamped(at_ms), rules_->zone);
}

WallMinute TimeZone::wall_minute(std::int64_t at_ms) const {
  const absl::CivilMinute shows(rules_->zone.At(absl::FromUnixMillis(at_ms)).cs);
  return shows - absl::CivilMinute();
}

TimeZone::Moments TimeZone::moments(WallMinute minute) const {
  const absl::TimeZone::TimeInfo at =
      rules_->zone.At(absl::CivilSecond(absl::CivilMinute() + minute));
  switch (at.kind) {
    case absl::TimeZone::TimeInfo::UNIQUE:
    case absl::TimeZone::TimeInfo::REPEATED:
      return {false, absl::ToUnixMillis(at.pre), absl::ToUnixMillis(at.post)};
    case absl::TimeZone::TimeInfo::SKIPPED:
      return {true, absl::ToUnixMillis(at.trans), absl::ToUnixMillis(at.trans)};
  }
  UNREACHABLE();
}

}  // namespace rowlock
