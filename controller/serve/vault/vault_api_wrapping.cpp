// sys/wrapping/…: an answer that was wrapped is fetched with a token of its own, and only once.
#include "controller/serve/vault/vault_api_wrapping.h"

#include "controller/serve/vault/vault_api_reply.h"
#include "controller/serve/vault/vault_api_values.h"

#include <algorithm>

namespace rowlock {

namespace {

constexpr std::int64_t kUsualTtlMs = 5LL * 60 * 1000;

// The token that is spoken of: the one in the body, or the one that was shown.
std::string wrapping_token(const VaultCall& call) {
  const std::string named = call.body["token"].as_string();
  return named.empty() ? call.token_text : named;
}

Result<Token> find_wrapping(const VaultParts& parts, const VaultCall& call) {
  auto token = parts.secrets.tokens.find(wrapping_token(call), call.now_ms);
  if (token.ok() && token.value().kind == "wrapping") {
    return token;
  }
  if (!token.ok() && token.error().cause != Cause::not_found) {
    return token.error();
  }
  return Error{Fault::rejected, Cause::other, "wrapping token is not valid or does not exist",
               "it has expired, or somebody has unwrapped it: then what it held is known to them"};
}

// Stored: the members of the envelope that hold the answer.
std::string stored_answer(const VaultReply& reply) {
  std::string answer;
  answer.reserve(reply.data.size() + reply.auth.size() + 32);
  answer.append(R"({"data":)").append(reply.data);
  answer.append(R"(,"auth":)").append(reply.auth).append("}");
  return answer;
}

VaultReply wrap_reply(const VaultParts& parts, const VaultCall& call, const std::string& path,
                      std::string answer, const std::string& accessor, std::int64_t ttl_ms,
                      const TokenMaker& by) {
  const auto made = parts.secrets.tokens.wrap(answer, path, ttl_ms, call.now_ms, by);
  wipe(answer);
  if (!made.ok()) {
    return failed(made.error());
  }
  const Token& token = made.value().token;
  const AuditLine line{call.actor.name, "wrap", path, {}, "allowed", token.actor().name, ""};
  if (auto logged = parts.secrets.audit.append(line, call.now_ms); !logged.ok()) {
    return failed(logged.error());
  }
  VaultReply reply;
  reply.wrap_info = Json::object({{"token", Json::string(made.value().text)},
                                  {"accessor", Json::string(token.accessor)},
                                  {"ttl", Json::integer(token.ttl_ms / 1000)},
                                  {"creation_time", Json::string(vault_time(token.created_at_ms))},
                                  {"creation_path", Json::string(path)},
                                  {"wrapped_accessor", Json::string(accessor)}})
                        .text();
  return reply;
}

// Takes the answer out, which is written down first.
Result<SecretBytes> take_answer(const VaultParts& parts, const VaultCall& call,
                                const Token& token) {
  auto answer = parts.secrets.tokens.unwrap(wrapping_token(call), call.now_ms);
  if (!answer.ok()) {
    return answer.error();
  }
  const AuditLine line{token.actor().name,
                       "unwrap",
                       token.wrapped_path,
                       {},
                       "allowed",
                       "",
                       parts.secrets.audit.hash_of(answer.value().view())};
  TRY(parts.secrets.audit.append(line, call.now_ms));
  return answer;
}

VaultReply unwrap(const VaultParts& parts, const VaultCall& call) {
  const auto token = find_wrapping(parts, call);
  if (!token.ok()) {
    return failed(token.error());
  }
  const auto answer = take_answer(parts, call, token.value());
  if (!answer.ok()) {
    return failed(answer.error());
  }
  const auto members = Json::parse(answer.value().view());
  if (!members.ok()) {
    return failed(members.error());
  }
  VaultReply reply;
  reply.data = members.value()["data"].text();
  reply.auth = members.value()["auth"].text();
  return reply;
}

VaultReply rewrap(const VaultParts& parts, const VaultCall& call) {
  const auto token = find_wrapping(parts, call);
  if (!token.ok()) {
    return failed(token.error());
  }
  const auto answer = take_answer(parts, call, token.value());
  if (!answer.ok()) {
    return failed(answer.error());
  }
  return wrap_reply(parts, call, token.value().wrapped_path, std::string(answer.value().view()), "",
                    token.value().ttl_ms, {token.value().made_by, token.value().made_policies});
}

VaultReply look_up(const VaultParts& parts, const VaultCall& call) {
  const auto token = find_wrapping(parts, call);
  if (!token.ok()) {
    return failed(token.error());
  }
  return reply_with(
      Json::object({{"creation_path", Json::string(token.value().wrapped_path)},
                    {"creation_time", Json::string(vault_time(token.value().created_at_ms))},
                    {"creation_ttl", Json::integer(token.value().ttl_ms / 1000)}}));
}

VaultReply wrap_body(const VaultParts& parts, const VaultCall& call) {
  const auto ttl = wished_wrapping(call.request);
  if (!ttl.ok()) {
    return failed(ttl.error());
  }
  return wrapped(parts, call, "sys/wrapping/wrap", reply_with(call.body),
                 ttl.value().value_or(kUsualTtlMs));
}

constexpr VaultAccess kAnyone = VaultAccess::anyone;
constexpr VaultAccess kHolder = VaultAccess::holder;
constexpr VaultAudit kFailures = VaultAudit::failures;

constexpr VaultRoute kRoutes[] = {
    {"POST", "sys/wrapping/wrap", kHolder, kFailures, "wrap", wrap_body},
    {"POST", "sys/wrapping/unwrap", kAnyone, kFailures, "unwrap", unwrap},
    {"POST", "sys/wrapping/rewrap", kAnyone, kFailures, "rewrap", rewrap},
    {"POST", "sys/wrapping/lookup", kAnyone, kFailures, "lookup", look_up},
    {"GET", "sys/wrapping/lookup", kAnyone, kFailures, "lookup", look_up},
};

}  // namespace

std::span<const VaultRoute> vault_wrapping_routes() { return kRoutes; }

Result<std::optional<std::int64_t>> wished_wrapping(const HttpRequest& request) {
  const auto ttl = TRY(duration_ms(request.header("X-Vault-Wrap-TTL"), "X-Vault-Wrap-TTL"));
  const std::int64_t ms = ttl.value_or(0);  // 0 means the same as none.
  return ms == 0 ? std::optional<std::int64_t>() : std::min(ms, Tokens::kMaxTtlMs);
}

VaultReply wrapped(const VaultParts& parts, const VaultCall& call, const std::string& path,
                   VaultReply reply, std::int64_t ttl_ms) {
  std::string answer = stored_answer(reply);
  wipe(reply.data);
  wipe(reply.auth);
  TokenMaker by;
  if (call.token.has_value()) {
    const auto excess = parts.quotas.room_for_wrapped(*call.token, answer.size(), call.now_ms);
    if (!excess.ok() || !excess.value().sentence.empty()) {
      wipe(answer);
      return excess.ok() ? exceeded(excess.value()) : failed(excess.error());
    }
    by = {call.token->accessor, call.token->policies};
  }
  return wrap_reply(parts, call, path, std::move(answer), reply.accessor, ttl_ms, by);
}

}  // namespace rowlock
