// sys/init, sys/unseal and the like: making the keys of the secret store, opening and closing it,
// and what it says of its state. To ask how it stands and to give keys takes no token: who has the
// keys may open.
#include "controller/base/version.h"
#include "controller/crypto/encoding.h"
#include "controller/serve/vault/vault_api_call.h"
#include "controller/serve/vault/vault_api_reply.h"
#include "controller/serve/vault/vault_api_values.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr int kSharesUsual = 5;
constexpr int kThresholdUsual = 3;

bool is_made(const VaultParts& parts) {
  return parts.secrets.keyring.state() != Keyring::State::absent;
}

constexpr std::size_t kNonceMax = 64;

// What tells attempts to unseal apart: what the caller chose, else where he asks. So nobody else
// comes into the operator's.
std::string nonce_of(const VaultCall& call) {
  if (const std::string chosen = call.body["nonce"].as_string(); !chosen.empty()) {
    return "nonce " + chosen.substr(0, kNonceMax);
  }
  return is_of_operator(call.request) ? "operator" : call.actor.name;
}

Json status_json(const VaultParts& parts, const SealStatus& status, const std::string& nonce) {
  return Json::object({{"type", Json::string("shamir")},
                       {"initialized", Json::boolean(is_made(parts))},
                       {"sealed", Json::boolean(status.state != Keyring::State::open)},
                       {"t", Json::integer(status.threshold)},
                       {"n", Json::integer(0)},
                       {"progress", Json::integer(status.progress)},
                       {"nonce", Json::string(nonce)},
                       {"version", Json::string(version())},
                       {"build_date", Json::string("")},
                       {"migration", Json::boolean(false)},
                       {"recovery_seal", Json::boolean(false)},
                       {"storage_type", Json::string("sqlite")}});
}

// ---- How it stands ------------------------------------------------------------------------------

// The status that a load balancer looks at, each of which the query may set to another.
Result<int> health_status(const VaultParts& parts, const VaultCall& call) {
  const Keyring::State state = parts.secrets.keyring.state();
  const auto asked = [&](const char* name, int usual) -> Result<int> {
    const auto code = TRY(whole_number(call.request.parameter(name), name));
    const std::int64_t status = code.value_or(usual);
    if (status < 200 || status > 599) {
      return Error{Fault::rejected, Cause::other, fmt::format("{} is no HTTP status", name), ""};
    }
    return static_cast<int>(status);
  };
  switch (state) {
    case Keyring::State::absent: return asked("uninitcode", 501);
    case Keyring::State::sealed: return asked("sealedcode", 503);
    case Keyring::State::open: return asked("activecode", 200);
  }
  UNREACHABLE();
}

VaultReply read_health(const VaultParts& parts, const VaultCall& call) {
  const auto status = health_status(parts, call);
  if (!status.ok()) {
    return failed(status.error());
  }
  VaultReply reply =
      reply_with_whole(Json::object({{"initialized", Json::boolean(is_made(parts))},
                                     {"sealed", Json::boolean(!parts.secrets.keyring.is_open())},
                                     {"standby", Json::boolean(false)},
                                     {"performance_standby", Json::boolean(false)},
                                     {"replication_performance_mode", Json::string("disabled")},
                                     {"replication_dr_mode", Json::string("disabled")},
                                     {"server_time_utc", Json::integer(call.now_ms / 1000)},
                                     {"version", Json::string(version())}}));
  reply.status = status.value();
  return reply;
}

VaultReply read_seal_status(const VaultParts& parts, const VaultCall&) {
  return reply_with_whole(status_json(parts, parts.secrets.seal.status(), ""));
}

VaultReply read_init(const VaultParts& parts, const VaultCall&) {
  return reply_with_whole(Json::object({{"initialized", Json::boolean(is_made(parts))}}));
}

// ---- Making keys --------------------------------------------------------------------------------

struct KitWish {
  int shares = 0;
  int threshold = 0;
  bool with_key = false;
};

// A number that is no int of ours is no number of shares either: the keeper refuses -1.
Result<KitWish> kit_wish(const Json& body) {
  const auto shares = TRY(whole_number(body["secret_shares"], "secret_shares"));
  const auto threshold = TRY(whole_number(body["secret_threshold"], "secret_threshold"));
  const auto fitting = [](std::int64_t number) {
    return number < 0 || number > 1000 ? -1 : static_cast<int>(number);
  };
  return KitWish{fitting(shares.value_or(kSharesUsual)),
                 fitting(threshold.value_or(kThresholdUsual)), body["return_key"].as_boolean()};
}

VaultReply kit_reply(const Result<RecoveryKit>& kit, const KitWish& wish) {
  if (!kit.ok()) {
    return failed(kit.error());
  }
  const Json shares = json_strings(kit.value().shares);
  std::vector<std::pair<std::string, Json>> members = {
      {"keys", shares}, {"keys_base64", shares}, {"root_token", Json::string("")}};
  if (wish.with_key) {
    members.emplace_back("unseal_key", Json::string(to_base64(kit.value().unseal_key.view())));
  }
  return reply_with_whole(Json::object(std::move(members)));
}

VaultReply make_keys(const VaultParts& parts, const VaultCall& call) {
  const auto wish = kit_wish(call.body);
  if (!wish.ok()) {
    return failed(wish.error());
  }
  return kit_reply(
      parts.secrets.seal.init(wish.value().shares, wish.value().threshold, call.actor, call.now_ms),
      wish.value());
}

VaultReply rekey(const VaultParts& parts, const VaultCall& call) {
  const auto wish = kit_wish(call.body);
  if (!wish.ok()) {
    return failed(wish.error());
  }
  return kit_reply(parts.secrets.seal.rekey(wish.value().shares, wish.value().threshold, call.actor,
                                            call.now_ms),
                   wish.value());
}

VaultReply rotate(const VaultParts& parts, const VaultCall& call) {
  const auto wrapped = parts.secrets.seal.rotate(call.actor, call.now_ms);
  return wrapped.ok() ? reply_with(Json::object({{"data_keys", Json::integer(wrapped.value())}}))
                      : failed(wrapped.error());
}

// ---- Opening and closing ------------------------------------------------------------------------

// A share as it was printed, or all of the key as base64.
Result<> give_key(const VaultParts& parts, const VaultCall& call, const std::string& text) {
  if (auto key = from_base64(text); key.ok()) {
    std::string bytes = std::move(key).value();
    const SecretBytes whole(bytes);
    wipe(bytes);
    return parts.secrets.seal.unseal(whole, call.actor.name, call.now_ms);
  }
  auto given = parts.secrets.seal.give_share(text, nonce_of(call), call.actor.name, call.now_ms);
  return given.ok() ? Result<>(Done{}) : given.error();
}

VaultReply unseal(const VaultParts& parts, const VaultCall& call) {
  const std::string key = call.body["key"].as_string();
  if (call.body["reset"].as_boolean()) {
    const bool is_own = !call.body["nonce"].as_string().empty();
    if (!is_own && !is_of_operator(call.request)) {
      return refused_with(403,
                          "only the operator may drop the shares that others gave: `rowlock "
                          "secret unseal --reset`, as root or the user whose home it is; who gave "
                          "'nonce' with shares may drop those");
    }
    const auto which = is_own ? std::optional(nonce_of(call)) : std::nullopt;
    if (auto dropped = parts.secrets.seal.drop_shares(which, call.actor.name, call.now_ms);
        !dropped.ok()) {
      return failed(dropped.error());
    }
  } else if (key.empty()) {
    return refused_with(400, "'key' must be specified in request body as JSON, or 'reset' set");
  } else if (auto given = give_key(parts, call, key); !given.ok()) {
    return failed(given.error());
  }
  return reply_with_whole(status_json(parts, parts.secrets.seal.status(nonce_of(call)),
                                      call.body["nonce"].as_string()));
}

VaultReply seal_store(const VaultParts& parts, const VaultCall& call) {
  const auto sealed = parts.secrets.seal.seal(call.actor, call.now_ms);
  return sealed.ok() ? reply_without_body() : failed(sealed.error());
}

constexpr VaultAccess kAnyone = VaultAccess::anyone;
constexpr VaultAccess kOperator = VaultAccess::operator_only;
constexpr VaultAudit kNothing = VaultAudit::nothing;
constexpr VaultAudit kFailures = VaultAudit::failures;

constexpr VaultRoute kRoutes[] = {
    {"GET", "sys/health", kAnyone, kNothing, "", read_health},
    {"HEAD", "sys/health", kAnyone, kNothing, "", read_health},
    {"GET", "sys/seal-status", kAnyone, kNothing, "", read_seal_status},
    {"GET", "sys/init", kAnyone, kNothing, "", read_init},
    {"POST", "sys/init", kOperator, kFailures, "init", make_keys},
    {"POST", "sys/unseal", kAnyone, kFailures, "unseal", unseal},
    {"POST", "sys/seal", kOperator, kFailures, "seal", seal_store},
    {"POST", "sys/rotate", kOperator, kFailures, "rotate", rotate},
    {"POST", "rowlock/rekey", kOperator, kFailures, "rekey", rekey},
};

}  // namespace

std::span<const VaultRoute> vault_seal_routes() { return kRoutes; }

}  // namespace rowlock
