// The order is the defence: which issuer the token names, then its signature by that issuer's keys,
// and only then what it claims. Nothing is believed before its turn.
#include "controller/secrets/login.h"

#include "controller/secrets/claims.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {

namespace {

Error refused(std::string message, std::string hint = "") {
  return {Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

Error invalid(const Error& reason) {
  return refused("error validating token: " + reason.message, reason.hint);
}

// SITE:JOB:INSTANCE; of the three only the site may hold a colon.
struct Subject {
  std::string job;
  std::string instance;
};

Subject subject_of(const std::string& sub) {
  const std::size_t last = sub.rfind(':');
  if (last == std::string::npos || last == 0) {
    return {};
  }
  const std::size_t before = sub.rfind(':', last - 1);
  if (before == std::string::npos) {
    return {};
  }
  return {sub.substr(before + 1, last - before - 1), sub.substr(last + 1)};
}

}  // namespace

Result<std::vector<Row>> Logins::query(std::string_view script, const Values& values) {
  const std::string* text = schema_.script(script);
  CHECK(text != nullptr);
  return state_.query(*text, values);
}

Result<LoggedIn> Logins::log_in(const std::string& role, const std::string& jwt,
                                std::int64_t now_ms) {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  TRY(rights_.require_policies());
  const auto unverified = read_unverified(jwt);
  if (!unverified.ok()) {
    return invalid(unverified.error());
  }
  const auto setting = TRY(query("identity.setting", {}));
  CHECK(!setting.empty());
  const std::string issuer = unverified.value().claims["iss"].as_string();
  auto done = issuer == setting.front().text("issuer") ? log_in_instance(role, jwt, now_ms)
                                                       : log_in_trusted(role, issuer, jwt, now_ms);
  if (!done.ok()) {
    return done.error();
  }
  const LoggedIn& in = done.value();
  const AuditLine line{in.made.token.actor().name,
                       "login",
                       "auth/jwt/login",
                       {},
                       "allowed",
                       fmt::format("role {}, {}, token {}", in.role, on_one_line(in.subject),
                                   in.made.token.accessor),
                       ""};
  TRY(audit_.append(line, now_ms));
  return done;
}

Result<LoggedIn> Logins::log_in_instance(const std::string& role, const std::string& jwt,
                                         std::int64_t now_ms) {
  const auto setting = TRY(query("identity.setting", {}));
  const auto verified = identities_.verify(jwt);
  if (!verified.ok()) {
    return invalid(verified.error());
  }
  const Json& claims = verified.value().claims;
  const Row& row = setting.front();
  const std::int64_t wall_ms = now_ms + row.integer("wall_ahead_ms");
  if (auto fit = check_registered_claims(claims, row.text("issuer"), row.text("audience"), wall_ms);
      !fit.ok()) {
    return invalid(fit.error());
  }
  const std::string sub = claims["sub"].as_string();
  const Subject subject = subject_of(sub);
  const auto rows =
      TRY(query("login.instance", {{"name", subject.instance}, {"job", subject.job}}));
  if (rows.empty()) {
    return refused(fmt::format("instance '{}' of job '{}' is not kept any more",
                               on_one_line(subject.instance), on_one_line(subject.job)),
                   "the successor logs in with an identity of its own");
  }
  if (!role.empty() && role != subject.job) {
    return refused(fmt::format("role '{}' is not the job of this instance, which is '{}'",
                               on_one_line(role), subject.job));
  }
  const double left_ms = claims["exp"].as_number() * 1000 - static_cast<double>(wall_ms);
  TokenWish wish;
  wish.kind = "instance";
  wish.name = subject.instance;
  wish.instance = rows.front().integer("id");
  wish.ttl_ms = static_cast<std::int64_t>(std::clamp<double>(left_ms, 1, kInstanceTtlMs));
  const auto made = TRY(tokens_.make(wish, now_ms));
  // What it may do is looked up at each use.
  const auto found = TRY(tokens_.find(made.text, now_ms));
  return LoggedIn{{made.text, found}, subject.job, sub};
}

Result<Row> Logins::trust_row(const std::string& role, const std::string& issuer) {
  const auto rows = TRY(query("login.trust", {{"role", role}, {"issuer", issuer}}));
  if (rows.empty()) {
    return role.empty()
               ? refused(fmt::format("nobody trusts the issuer '{}'", on_one_line(issuer)),
                         "INSERT INTO trust (name, issuer, audience, claims, keys) in desired.db")
               : refused(fmt::format("role \"{}\" could not be found: it is the name of no row of "
                                     "trust, and the token is no instance's identity",
                                     on_one_line(role)));
  }
  if (rows.size() > 1) {
    std::string names;
    for (const Row& row : rows) {
      names += (names.empty() ? "" : ", ") + row.text("name");
    }
    return refused("several rows of trust have this issuer: name one as the role: " + names);
  }
  return rows.front();
}

// The claims of the token, once it is all that the row wants.
Result<Json> Logins::believed(const Row& trust, const std::string& jwt, std::int64_t now_ms) {
  if (trust.text("keys").empty()) {
    const std::string detail = trust.text("detail");
    return refused(fmt::format("the keys of trust '{}' have not been read yet{}{}",
                               trust.text("name"), detail.empty() ? "" : ": ", detail),
                   "try again in a moment; `rowlock status` says what is in the way");
  }
  const auto keys = JwtKeys::parse(trust.text("keys"));
  if (!keys.ok()) {
    return refused(fmt::format("the keys of trust '{}' cannot be used: {}", trust.text("name"),
                               keys.error().message));
  }
  const auto verified = keys.value().verify(jwt);
  if (!verified.ok()) {
    return invalid(verified.error());
  }
  const Json& claims = verified.value().claims;
  if (auto fit = check_registered_claims(claims, trust.text("issuer"), trust.text("audience"),
                                         now_ms + trust.integer("wall_ahead_ms"));
      !fit.ok()) {
    return invalid(fit.error());
  }
  const auto wanted = Json::parse(trust.text("claims"));
  if (!wanted.ok() || !wanted.value().is_object()) {
    return refused(fmt::format("trust.claims of '{}' is no JSON object", trust.text("name")));
  }
  if (wanted.value().members().empty()) {  // Anybody with a token of that issuer.
    return refused(fmt::format("trust.claims of '{}' says nothing of whose tokens are believed",
                               trust.text("name")));
  }
  if (auto fit = check_wanted_claims(claims, wanted.value()); !fit.ok()) {
    return invalid(fit.error());
  }
  return claims;
}

Result<LoggedIn> Logins::log_in_trusted(const std::string& role, const std::string& issuer,
                                        const std::string& jwt, std::int64_t now_ms) {
  const auto trust = TRY(trust_row(role, issuer));
  const Row& row = trust;
  const auto claims = TRY(believed(row, jwt, now_ms));
  const std::string sub = claims["sub"].as_string();
  TokenWish wish;
  wish.kind = "trusted";
  wish.name = fmt::format("{}: {}", row.text("name"), on_one_line(sub));
  wish.policies = row.text("policies");
  wish.ttl_ms = row.integer("ttl_ms");
  wish.max_ttl_ms = kTrustedEndMs;
  auto made = TRY(tokens_.make(wish, now_ms));
  return LoggedIn{std::move(made), row.text("name"), sub};
}

}  // namespace rowlock
