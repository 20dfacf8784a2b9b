// The first row of bounds is the token's own, '*'; each other one is of all who have its policy.
#include "controller/serve/vault/quotas.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr std::int64_t kKilobyte = 1024;

// As `quota.wrapped` counts it: sealed, as base64, with the rest of its row.
std::int64_t stored_bytes(std::size_t bytes) {
  return static_cast<std::int64_t>((bytes + 40) / 3 * 4 + 512);
}

// A clock that was set back begins a new minute, too.
bool is_over(std::int64_t since_ms, std::int64_t now_ms) {
  return now_ms >= since_ms + Quotas::kMinuteMs || now_ms < since_ms;
}

std::string own_requests(const Token& token) { return "token " + token.accessor; }

std::string counted_as(const std::string& policy, const std::string& own) {
  return policy == "*" ? own : "policy " + policy;
}

std::string who(const std::string& policy) {
  return policy == "*" ? "this token" : fmt::format("the holders of policy '{}'", policy);
}

}  // namespace

Quotas::Minute& Quotas::minute_of(const std::string& whose, std::int64_t now_ms) {
  if (minutes_.size() >= kCountedMax && !minutes_.contains(whose)) {
    std::erase_if(minutes_,
                  [&](const auto& each) { return is_over(each.second.since_ms, now_ms); });
    if (minutes_.size() >= kCountedMax) minutes_.clear();  // They count anew: nobody is locked out.
  }
  Minute& minute = minutes_[whose];
  if (is_over(minute.since_ms, now_ms)) minute = {now_ms, 0};
  return minute;
}

Result<std::vector<Row>> Quotas::bounds_of(const Token& token) {
  const std::string* script = schema_.script("quota.of");
  CHECK(script != nullptr);
  return state_.query(*script, {{"policies", token.policies}});
}

Result<Quotas::Excess> Quotas::take_request(const Token& token, std::int64_t now_ms) {
  return take(token, own_requests(token), now_ms);
}

Result<Quotas::Excess> Quotas::take_login(const Token& made, std::int64_t now_ms) {
  return take(made, "login " + made.name, now_ms);
}

Result<Quotas::Excess> Quotas::take(const Token& token, const std::string& own,
                                    std::int64_t now_ms) {
  const auto bounds = TRY(bounds_of(token));
  for (const Row& bound : bounds) {
    const std::string policy = bound.text("policy");
    const std::int64_t most = bound.integer("requests_per_minute");
    const Minute& minute = minute_of(counted_as(policy, own), now_ms);
    if (minute.requests < most) continue;
    return Excess{fmt::format("{} may make {} requests a minute, and has: wait, or have "
                              "quota.requests_per_minute raised",
                              who(policy), most),
                  minute.since_ms + kMinuteMs - now_ms};
  }
  for (const Row& bound : bounds) {
    ++minute_of(counted_as(bound.text("policy"), own), now_ms).requests;
  }
  return Excess{};
}

Result<std::int64_t> Quotas::wrapped_bytes(const std::string& policy, const Token& token,
                                           std::int64_t now_ms) {
  const bool is_own = policy == "*";
  const std::string* script = schema_.script(is_own ? "quota.wrapped" : "quota.wrapped_by_policy");
  CHECK(script != nullptr);
  const auto bytes =
      TRY(state_.scalar(*script, {is_own ? std::pair("accessor", Value(token.accessor))
                                         : std::pair("policy", Value(policy)),
                                  {"now_ms", now_ms}}));
  return std::get<std::int64_t>(bytes);
}

Result<Quotas::Excess> Quotas::room_for_wrapped(const Token& token, std::size_t bytes,
                                                std::int64_t now_ms) {
  const auto bounds = TRY(bounds_of(token));
  for (const Row& bound : bounds) {
    const std::string policy = bound.text("policy");
    const std::int64_t most = bound.integer("wrapped_kb");
    const auto there = TRY(wrapped_bytes(policy, token, now_ms));
    if (there + stored_bytes(bytes) <= most * kKilobyte) continue;
    return Excess{fmt::format("{} may have {} KB wait wrapped, and there are {}: have some "
                              "unwrapped, or have quota.wrapped_kb raised",
                              who(policy), most, (there + kKilobyte - 1) / kKilobyte),
                  kMinuteMs};
  }
  return Excess{};
}

Result<Quotas::Uses> Quotas::uses_of(const Token& token, std::int64_t now_ms) {
  const auto take_less = [](Use& kept, Use other) {
    if (kept.most == 0 || other.most - other.taken < kept.most - kept.taken)
      kept = std::move(other);
  };
  const auto bounds = TRY(bounds_of(token));
  Uses uses;
  for (const Row& bound : bounds) {
    const std::string policy = bound.text("policy");
    const auto minute = minutes_.find(counted_as(policy, own_requests(token)));
    const bool counts = minute != minutes_.end() && !is_over(minute->second.since_ms, now_ms);
    take_less(uses.requests,
              {policy, counts ? minute->second.requests : 0, bound.integer("requests_per_minute")});
    take_less(uses.wrapped, {policy, TRY(wrapped_bytes(policy, token, now_ms)),
                             bound.integer("wrapped_kb") * kKilobyte});
  }
  return uses;
}

}  // namespace rowlock
