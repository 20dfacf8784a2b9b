// auth/: logging in, and what can be done with tokens.
#include "controller/serve/vault/vault_api_call.h"
#include "controller/serve/vault/vault_api_reply.h"
#include "controller/serve/vault/vault_api_values.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {

namespace {

std::int64_t seconds(std::int64_t ms) { return std::max<std::int64_t>(0, ms) / 1000; }

Json policies_json(const Token& token) {
  const auto policies = Json::parse(token.policies);
  return policies.ok() ? policies.value() : Json::array({});
}

bool is_renewable(const Token& token) { return token.kind != "wrapping"; }

// The envelope's member auth: a token, with its text.
Json auth_json(const Token& token, const std::string& text, const Json& metadata,
               std::int64_t now_ms) {
  return Json::object({{"client_token", Json::string(text)},
                       {"accessor", Json::string(token.accessor)},
                       {"policies", policies_json(token)},
                       {"token_policies", policies_json(token)},
                       {"metadata", metadata},
                       {"lease_duration", Json::integer(seconds(token.expires_at_ms - now_ms))},
                       {"renewable", Json::boolean(is_renewable(token))},
                       {"entity_id", Json::string("")},
                       {"token_type", Json::string("service")},
                       {"orphan", Json::boolean(true)},
                       {"mfa_requirement", Json()},
                       {"num_uses", Json::integer(token.uses_left.value_or(0))}});
}

// What is known of a token. `text` only to its holder.
Json token_json(const Token& token, const std::string& text, std::int64_t now_ms) {
  return Json::object(
      {{"id", Json::string(text)},
       {"accessor", Json::string(token.accessor)},
       {"creation_time", Json::integer(seconds(token.created_at_ms))},
       {"creation_ttl", Json::integer(seconds(token.ttl_ms))},
       {"display_name", Json::string(token.name)},
       {"entity_id", Json::string("")},
       {"expire_time", Json::string(vault_time(token.expires_at_ms))},
       {"explicit_max_ttl", Json::integer(seconds(token.ends_at_ms - token.created_at_ms))},
       {"issue_time", Json::string(vault_time(token.created_at_ms))},
       {"meta", Json::object({{"kind", Json::string(token.kind)}})},
       {"num_uses", Json::integer(token.uses_left.value_or(0))},
       {"orphan", Json::boolean(true)},
       {"path", Json::string(token.kind == "person" ? "auth/token/create" : "auth/jwt/login")},
       {"policies", policies_json(token)},
       {"renewable", Json::boolean(is_renewable(token))},
       {"ttl", Json::integer(seconds(token.expires_at_ms - now_ms))},
       {"type", Json::string("service")}});
}

// ---- Logging in ---------------------------------------------------------------------------------

VaultReply log_in(const VaultParts& parts, const VaultCall& call) {
  const std::string jwt = call.body["jwt"].as_string();
  if (jwt.empty()) {
    return refused_with(400, "missing token: write {\"role\": \"JOB\", \"jwt\": \"…\"}");
  }
  const auto done = parts.secrets.logins.log_in(call.body["role"].as_string(), jwt, call.now_ms);
  if (!done.ok()) {
    VaultReply reply = failed(done.error());
    reply.is_denied = reply.status < 500;
    const auto says = read_unverified(jwt);
    reply.detail += on_one_line(fmt::format(
        " (it says that it is {} of {})", says.ok() ? says.value().claims["sub"].as_string() : "",
        says.ok() ? says.value().claims["iss"].as_string() : ""));
    return reply;
  }
  const LoggedIn& in = done.value();
  const auto excess = parts.quotas.take_login(in.made.token, call.now_ms);
  if (!excess.ok() || !excess.value().sentence.empty()) {
    return excess.ok() ? exceeded(excess.value()) : failed(excess.error());
  }
  const Json metadata =
      Json::object({{"role", Json::string(in.role)}, {"sub", Json::string(in.subject)}});
  return reply_with_auth(auth_json(in.made.token, in.made.text, metadata, call.now_ms));
}

// ---- The asker's own token ----------------------------------------------------------------------

VaultReply no_own_token() {
  return refused_with(400, "the operator asks without a token: there is none to speak of");
}

VaultReply look_up_self(const VaultParts&, const VaultCall& call) {
  if (call.token.has_value()) {
    return reply_with(token_json(*call.token, call.token_text, call.now_ms));
  }
  return reply_with(Json::object({{"id", Json::string("")},
                                  {"accessor", Json::string("")},
                                  {"display_name", Json::string(call.actor.name)},
                                  {"path", Json::string("auth/token/root")},
                                  {"policies", json_strings({"root"})},
                                  {"num_uses", Json::integer(0)},
                                  {"orphan", Json::boolean(true)},
                                  {"renewable", Json::boolean(false)},
                                  {"ttl", Json::integer(0)},
                                  {"type", Json::string("service")}}));
}

VaultReply renew_self(const VaultParts& parts, const VaultCall& call) {
  if (!call.token.has_value()) {
    return no_own_token();
  }
  const auto asked = duration_ms(call.body["increment"], "increment");
  if (!asked.ok()) {
    return failed(asked.error());
  }
  const auto renewed =
      parts.secrets.tokens.renew(*call.token, asked.value().value_or(0), call.now_ms);
  if (!renewed.ok()) {
    return failed(renewed.error());
  }
  return reply_with_auth(
      auth_json(renewed.value(), call.token_text, Json::object({}), call.now_ms));
}

VaultReply revoke_self(const VaultParts& parts, const VaultCall& call) {
  if (!call.token.has_value()) {
    return no_own_token();
  }
  const auto revoked = parts.secrets.tokens.revoke(*call.token);
  return revoked.ok() ? reply_without_body() : failed(revoked.error());
}

// ---- Those of others: the operator's business ---------------------------------------------------

// Policies that there are: a name that is mistyped would be silently without effect.
Result<std::string> wished_policies(const VaultParts& parts, const Json& wanted) {
  std::vector<std::string> names = texts_of(wanted);
  std::erase(names,
             "default");  // Clients of Vault name it; there is none here, and none is needed.
  const std::string policies = json_strings(names).text();
  const std::string* script = parts.schema.script("api.unknown_policies");
  CHECK(script != nullptr);
  const auto unknown = TRY(parts.state.query(*script, {{"policies", policies}}));
  if (!unknown.empty()) {
    return Error{Fault::rejected, Cause::other,
                 fmt::format("there is no policy '{}'", unknown.front().text("name")),
                 "INSERT INTO policy (name, path, capabilities) in desired.db first"};
  }
  return policies;
}

Result<TokenWish> token_wish(const VaultParts& parts, const VaultCall& call) {
  auto policies = wished_policies(parts, call.body["policies"]);
  if (!policies.ok()) {
    return policies.error();
  }
  const auto ttl = duration_ms(call.body["ttl"], "ttl");
  const auto most = duration_ms(call.body["explicit_max_ttl"], "explicit_max_ttl");
  const auto uses = whole_number(call.body["num_uses"], "num_uses");
  if (!ttl.ok() || !most.ok() || !uses.ok()) {
    return !ttl.ok() ? ttl.error() : !most.ok() ? most.error() : uses.error();
  }
  if (uses.value().value_or(0) < 0) {
    return Error{Fault::rejected, Cause::other, "num_uses must not be negative", "0: any number"};
  }
  TokenWish wish;
  wish.name = call.body["display_name"].as_string("token");
  wish.policies = std::move(policies).value();
  wish.ttl_ms = ttl.value().value_or(0);
  wish.max_ttl_ms = most.value().value_or(0);
  if (uses.value().value_or(0) > 0) {
    wish.uses = uses.value();
  }
  return wish;
}

VaultReply create_token(const VaultParts& parts, const VaultCall& call) {
  const auto wish = token_wish(parts, call);
  if (!wish.ok()) {
    return failed(wish.error());
  }
  const auto made = parts.secrets.tokens.make(wish.value(), call.now_ms);
  if (!made.ok()) {
    return failed(made.error());
  }
  const Token& token = made.value().token;
  const AuditLine line{call.actor.name,
                       "create",
                       "auth/token",
                       {},
                       "allowed",
                       token.actor().name + ", policies " + token.policies,
                       ""};
  if (auto logged = parts.secrets.audit.append(line, call.now_ms); !logged.ok()) {
    return failed(logged.error());
  }
  return reply_with_auth(auth_json(token, made.value().text, Json(), call.now_ms));
}

VaultReply list_accessors(const VaultParts& parts, const VaultCall& call) {
  const auto accessors = parts.secrets.tokens.accessors(call.now_ms);
  return accessors.ok() ? reply_with(Json::object({{"keys", json_strings(accessors.value())}}))
                        : failed(accessors.error());
}

VaultReply look_up_accessor(const VaultParts& parts, const VaultCall& call) {
  const auto token =
      parts.secrets.tokens.find_by_accessor(call.body["accessor"].as_string(), call.now_ms);
  if (!token.ok()) {
    return failed(token.error());
  }
  const auto uses = parts.quotas.uses_of(token.value(), call.now_ms);
  if (!uses.ok()) {
    return failed(uses.error());
  }
  // Rowlock's own, beside what clients of Vault know.
  const auto use_json = [](const Quotas::Use& use, std::int64_t unit) {
    return Json::object({{"taken", Json::integer((use.taken + unit - 1) / unit)},
                         {"most", Json::integer(use.most / unit)},
                         {"policy", Json::string(use.policy)}});
  };
  auto members = token_json(token.value(), "", call.now_ms).members();
  members.emplace_back("requests_in_minute", use_json(uses.value().requests, 1));
  members.emplace_back("wrapped_kb", use_json(uses.value().wrapped, 1024));
  return reply_with(Json::object(std::move(members)));
}

VaultReply revoke_accessor(const VaultParts& parts, const VaultCall& call) {
  const auto token =
      parts.secrets.tokens.find_by_accessor(call.body["accessor"].as_string(), call.now_ms);
  if (!token.ok()) {
    return failed(token.error());
  }
  if (auto revoked = parts.secrets.tokens.revoke(token.value()); !revoked.ok()) {
    return failed(revoked.error());
  }
  const AuditLine line{
      call.actor.name, "revoke", "auth/token", {}, "allowed", token.value().actor().name, ""};
  if (auto logged = parts.secrets.audit.append(line, call.now_ms); !logged.ok()) {
    return failed(logged.error());
  }
  return reply_without_body();
}

// What mends rows of token that other hands wrote: whose they are cannot be told.
VaultReply revoke_all(const VaultParts& parts, const VaultCall& call) {
  if (!parts.secrets.keyring.is_open()) {
    return failed(parts.secrets.keyring.closed_error());
  }
  if (auto ended = parts.secrets.rights.end_tokens(); !ended.ok()) {
    return failed(ended.error());
  }
  const AuditLine line{call.actor.name, "revoke", "auth/token", {}, "allowed", "all tokens", ""};
  if (auto logged = parts.secrets.audit.append(line, call.now_ms); !logged.ok()) {
    return failed(logged.error());
  }
  return reply_without_body();
}

constexpr VaultAccess kAnyone = VaultAccess::anyone;
constexpr VaultAccess kHolder = VaultAccess::holder;
constexpr VaultAccess kOperator = VaultAccess::operator_only;
constexpr VaultAudit kFailures = VaultAudit::failures;
constexpr VaultAudit kAll = VaultAudit::all;

constexpr VaultRoute kRoutes[] = {
    {"POST", "auth/jwt/login", kAnyone, kFailures, "login", log_in},
    {"GET", "auth/token/lookup-self", kHolder, kFailures, "lookup", look_up_self},
    {"POST", "auth/token/lookup-self", kHolder, kFailures, "lookup", look_up_self},
    {"POST", "auth/token/renew-self", kHolder, kAll, "renew", renew_self},
    {"POST", "auth/token/revoke-self", kHolder, kAll, "revoke", revoke_self},
    {"POST", "auth/token/create", kOperator, kFailures, "create", create_token},
    {"LIST", "auth/token/accessors", kOperator, kAll, "list", list_accessors},
    {"POST", "auth/token/lookup-accessor", kOperator, kFailures, "lookup", look_up_accessor},
    {"POST", "auth/token/revoke-accessor", kOperator, kFailures, "revoke", revoke_accessor},
    {"POST", "auth/token/revoke-all", kOperator, kFailures, "revoke", revoke_all},
};

}  // namespace

std::span<const VaultRoute> vault_auth_routes() { return kRoutes; }

}  // namespace rowlock
