// What every request goes through: find its route, find who asks, answer within a savepoint, write
// its line in the audit log. The routes themselves are in the vault_api_… files beside this one.
#include "controller/serve/vault/vault_api.h"

#include "controller/serve/vault/vault_api_reply.h"
#include "controller/serve/vault/vault_api_wrapping.h"

#include <fmt/format.h>

#include <unistd.h>

namespace rowlock {

namespace {

constexpr std::string_view kPrefix = "/v1/";
constexpr std::string_view kBearer = "Bearer ";
constexpr std::size_t kStrangerValuesMax = 100;  // Whoever logs in sends three.
constexpr int kBodyDepthMax = 100;       // An answer is deeper by a little, and must be read, too.
constexpr std::size_t kLoggedMax = 512;  // Of what others wrote, in a line of the audit log.

std::string cut(std::string text) {
  text.resize(std::min(text.size(), kLoggedMax));
  return on_one_line(std::move(text));
}

std::string method_of(const HttpRequest& request) {
  const std::string list = request.parameter("list");
  if (request.method == "GET" && (list == "true" || list == "1")) {
    return "LIST";
  }
  return request.method == "PUT" ? "POST" : request.method;
}

bool is_read(std::string_view method) {
  return method == "GET" || method == "LIST" || method == "HEAD";
}

// What the path has in the place of the pattern's '*'; absent when it does not fit.
std::optional<std::string> rest_of(std::string_view path, std::string_view pattern) {
  if (!pattern.ends_with("/*")) {
    const bool fits =
        path == pattern || (path.starts_with(pattern) && path.substr(pattern.size()) == "/");
    return fits ? std::optional<std::string>("") : std::nullopt;
  }
  const std::string_view head = pattern.substr(0, pattern.size() - 1);
  if (path.starts_with(head)) {
    return std::string(path.substr(head.size()));
  }
  return path == head.substr(0, head.size() - 1) ? std::optional<std::string>("") : std::nullopt;
}

std::string token_in(const HttpRequest& request) {
  std::string token = request.header("X-Vault-Token");
  if (token.empty()) {
    const std::string authorization = request.header("Authorization");
    if (authorization.starts_with(kBearer)) {
      token = authorization.substr(kBearer.size());
    }
  }
  return token;
}

Error nobody(std::string message) {
  return {Fault::rejected, Cause::other, std::move(message), ""};
}

// As the audit log has it, before a token says more.
std::string who_asks(const HttpRequest& request) {
  switch (request.door) {
    case Door::operators:
      return request.user.has_value() ? fmt::format("user {}", *request.user) : "a container";
    case Door::programs: return "api.sock";
    case Door::loopback: return "loopback";
  }
  UNREACHABLE();
}

VaultApi::Answer free_answer(VaultReply reply) {
  return {http_response(std::move(reply)), false, {}};
}

}  // namespace

bool is_of_operator(const HttpRequest& request) {
  return request.door == Door::operators && request.user.has_value() &&
         (*request.user == 0 || *request.user == geteuid());
}

struct VaultApi::Match {
  const VaultRoute* route = nullptr;
  std::string rest;
  bool is_path_known = false;
};

VaultApi::Match VaultApi::match(const HttpRequest& request) const {
  const std::string method = method_of(request);
  const std::string_view path = request.path;
  const std::string_view known = path.starts_with(kPrefix) ? path.substr(kPrefix.size()) : path;
  Match match;
  for (const auto routes :
       {vault_kv_routes(), vault_kv_metadata_routes(), vault_sys_routes(), vault_seal_routes(),
        vault_auth_routes(), vault_wrapping_routes(), vault_identity_routes()}) {
    for (const VaultRoute& route : routes) {
      auto rest = rest_of(known, route.pattern);
      match.is_path_known = match.is_path_known || rest.has_value();
      if (rest.has_value() && route.method == method && match.route == nullptr) {
        match.route = &route;
        match.rest = std::move(*rest);
      }
    }
  }
  if (method == "LIST" && match.rest.ends_with('/')) {
    match.rest.pop_back();
  }
  return match;
}

// Who asks. A token is used up by every attempt, whatever comes of it.
Result<> VaultApi::identify(VaultCall& call) {
  if (call.token_text.empty()) {
    if (is_of_operator(call.request)) {
      call.actor.is_operator = true;
      return Done{};
    }
    return nobody(
        call.request.door == Door::operators
            ? call.actor.name + " is not the operator and showed no token"
        : call.request.door == Door::programs
            ? "no token was shown: log in at auth/jwt/login with /run/secrets/rowlock.jwt"
            : "no token was shown: log in at auth/jwt/login, or ask over the unix socket");
  }
  auto token = parts_.secrets.tokens.find(call.token_text, call.now_ms);
  if (!token.ok()) {
    return token.error();
  }
  if (token.value().kind == "wrapping") {
    return nobody("a wrapping token opens what it wraps and nothing else");
  }
  call.token = std::move(token).value();
  call.actor = call.token->actor();
  if (call.token->uses_left.has_value()) {
    *call.token->uses_left -= 1;
  }
  return parts_.secrets.tokens.use(*call.token);
}

Result<> VaultApi::take_body(const VaultRoute& route, VaultCall& call) const {
  if (is_read(call.request.method) || call.request.body.empty()) {
    return Done{};
  }
  // Of two with the same name the last one counts, as for Vault, whose interface it is.
  Json::Reading reading{Json::Repeated::last_wins, kBodyDepthMax};
  if (route.access == VaultAccess::anyone) reading.values_max = kStrangerValuesMax;
  auto body = Json::parse(call.request.body, reading);
  if (!body.ok()) {
    return nobody("failed to parse JSON input: " + body.error().message);
  }
  if (!body.value().is_object()) {
    return nobody("failed to parse JSON input: it is not an object");
  }
  call.body = std::move(body).value();
  return Done{};
}

VaultReply VaultApi::ask(const VaultRoute& route, VaultCall& call) {
  // Whoever that is: nothing large is parsed before it is known.
  if (route.access == VaultAccess::anyone &&
      call.request.body.size() > HttpServer::kStrangerBodyMax) {
    return refused_with(413, fmt::format("the body of this request may have at most {} bytes",
                                         HttpServer::kStrangerBodyMax));
  }
  if (auto taken = take_body(route, call); !taken.ok()) {
    return failed(taken.error());
  }
  const auto ttl = wished_wrapping(call.request);
  if (!ttl.ok()) {
    return failed(ttl.error());
  }
  VaultReply reply = route.answer(parts_, call);
  const bool is_wrappable = !reply.is_failure && reply.status == 200 && reply.whole.empty() &&
                            !route.pattern.starts_with("sys/wrapping/");
  if (!is_wrappable || !ttl.value().has_value()) {
    return reply;
  }
  const std::string path = call.request.path.substr(kPrefix.size());
  return wrapped(parts_, call, path, std::move(reply), *ttl.value());
}

Result<> VaultApi::log(const VaultRoute& route, const VaultCall& call, const VaultReply& reply) {
  if (!parts_.secrets.keyring.is_open() || route.audit == VaultAudit::nothing ||
      (!reply.is_failure && route.audit == VaultAudit::failures)) {
    return Done{};
  }
  AuditLine line;
  line.actor = call.actor.name;
  line.operation = route.operation;
  line.path = cut(call.path.empty() ? std::string(route.pattern) : call.path);
  line.outcome = reply.is_denied ? "denied" : reply.is_failure ? "failed" : "allowed";
  line.detail = cut(reply.detail);
  return parts_.secrets.audit.append(line, call.now_ms);
}

VaultReply VaultApi::ask_undoably(const VaultRoute& route, VaultCall& call) {
  if (route.access != VaultAccess::anyone) {
    if (auto known = identify(call); !known.ok()) {
      return denied(known.error());
    }
  }
  if (call.token.has_value()) {
    const auto excess = parts_.quotas.take_request(*call.token, call.now_ms);
    if (!excess.ok()) return failed(excess.error());
    if (!excess.value().sentence.empty()) return exceeded(excess.value());
  }
  if (route.access == VaultAccess::operator_only && !call.actor.is_operator) {
    return denied(nobody(call.actor.name +
                         " may not: it is for the operator alone, over the unix socket of the home "
                         "and without a token"));
  }
  return ask(route, call);
}

// Of the operator, and of what a token may ask, every line is: its own quota bounds that.
bool VaultApi::may_be_written(const VaultCall& call, const VaultReply& reply) {
  if (!reply.is_failure || call.actor.is_operator) return true;
  if (!call.token.has_value()) return denials_.may_be_written("strangers", call.now_ms);
  const bool is_refused = reply.is_denied || reply.status == 429;
  return !is_refused || denials_.may_be_written(call.actor.name, call.now_ms);
}

Result<VaultReply> VaultApi::settle(const VaultRoute& route, VaultCall& call,
                                    const Keyring::Mark& keys, VaultReply reply) {
  if (reply.is_failure) {
    TRY(parts_.state.run("ROLLBACK TO request"));
    // What was undone took a use of the token back, too.
    if (call.token.has_value()) {
      TRY(parts_.secrets.tokens.use(*call.token));
    }
    parts_.secrets.keyring.undo(keys);
  }
  if (may_be_written(call, reply)) {
    TRY(log(route, call, reply));
  } else if (!call.token.has_value()) {
    reply = exceeded({"too many requests were refused: wait some seconds", Denials::kWhileMs});
  }
  TRY(parts_.state.run("RELEASE request"));
  return reply;
}

Result<> VaultApi::write_left_out(std::int64_t now_ms) {
  if (!parts_.secrets.keyring.is_open()) return Done{};  // They are kept until there is a log.
  for (const Denials::LeftOut& each : denials_.take_left_out(now_ms)) {
    const AuditLine line{each.asker, "refused",
                         "",         {},
                         "denied",   fmt::format("{} more, not written one by one", each.count),
                         ""};
    TRY(parts_.secrets.audit.append(line, now_ms));
  }
  return Done{};
}

bool VaultApi::knows(const HttpRequest& head, std::int64_t now_ms) {
  const std::string token = token_in(head);
  return !token.empty() && parts_.secrets.tokens.find(token, now_ms).ok();
}

bool VaultApi::is_free(const HttpRequest& request) const {
  const Match found = match(request);
  return found.route == nullptr || found.route->audit == VaultAudit::nothing;
}

Result<VaultApi::Answer> VaultApi::answer(const HttpRequest& request, std::int64_t now_ms) {
  const Match found = match(request);
  if (found.route == nullptr) {
    return free_answer(found.is_path_known ? refused_with(405, "unsupported operation")
                                           : refused_with(404, "no handler for " + request.path));
  }
  if (const std::string space = request.header("X-Vault-Namespace");
      !space.empty() && space != "/" && space != "root" && space != "root/") {
    return free_answer(
        refused_with(400, "there are no namespaces here: leave X-Vault-Namespace out"));
  }
  const VaultRoute& route = *found.route;
  VaultCall call{request, found.rest, Json::object({}), {}, {}, token_in(request), now_ms};
  call.actor.name = who_asks(request);
  if (route.audit == VaultAudit::nothing) {
    return free_answer(route.answer(parts_, call));
  }
  TRY(parts_.state.run("SAVEPOINT request"));
  const Keyring::Mark keys = parts_.secrets.keyring.mark();
  auto reply = TRY(settle(route, call, keys, ask_undoably(route, call)));
  Answer answer;
  if (reply.later) {
    answer.later = [make = std::move(reply.later)] { return http_response(make()); };
    return answer;
  }
  answer.is_change = !reply.is_failure && !is_read(method_of(request));
  answer.response = http_response(std::move(reply));
  return answer;
}

}  // namespace rowlock
