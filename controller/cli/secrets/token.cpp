// `rowlock token`: tokens for people and programs that are not the owner of the home.
#include "controller/base/time.h"
#include "controller/cli/all_verbs.h"

#include <fmt/format.h>

namespace rowlock {
namespace {

struct CreateOptions {
  std::vector<std::string> policies;
  std::int64_t ttl_ms = 8 * 3'600'000;
  std::string name;
  std::int64_t uses = 0;  // 0: any number.
};

struct RevokeOptions {
  std::string accessor;
  bool all = false;
};

constexpr std::size_t kTokensShownMax = 1000;

std::string joined(const Json& names) {
  std::string text;
  for (const Json& name : names.items()) {
    text += (text.empty() ? "" : ",") + name.as_string();
  }
  return text;
}

// Of a policy's quota all its holders take.
std::string used_of(const Json& use) {
  const std::string policy = use["policy"].as_string();
  return fmt::format("{} of {}{}", use["taken"].as_integer(), use["most"].as_integer(),
                     policy == "*" ? "" : " (policy " + policy + ")");
}

std::vector<Value> row_of(const std::string& accessor, const Json& token) {
  const std::int64_t uses = token["num_uses"].as_integer();
  return {accessor,
          token["display_name"].as_string(),
          joined(token["policies"]),
          token["expire_time"].as_string(),
          uses == 0 ? Value() : Value(uses),
          used_of(token["requests_in_minute"]),
          used_of(token["wrapped_kb"])};
}

Result<int> token_create(const Call& call, const CreateOptions& options) {
  TRY(call.terminal.check_is_private());
  std::vector<Json> policies;
  for (const std::string& policy : options.policies) {
    policies.push_back(Json::string(policy));
  }
  const auto created =
      TRY(call.controller().ask("POST", "/v1/auth/token/create",
                                Json::object({{"policies", Json::array(std::move(policies))},
                                              {"ttl", Json::string(duration_text(options.ttl_ms))},
                                              {"display_name", Json::string(options.name)},
                                              {"num_uses", Json::integer(options.uses)}})));
  const Json auth = created["auth"];
  if (call.terminal.is_json()) {
    call.terminal.print(Json::object({{"token", auth["client_token"]},
                                      {"accessor", auth["accessor"]},
                                      {"policies", auth["policies"]},
                                      {"ttl_s", auth["lease_duration"]}})
                            .text() +
                        "\n");
    return kExitOk;
  }
  call.terminal.print(auth["client_token"].as_string() + "\n");
  call.terminal.note(fmt::format(
      "shown this once; it ends in {}, or with `rowlock token revoke {}`",
      human_duration(auth["lease_duration"].as_integer() * 1000), auth["accessor"].as_string()));
  return kExitOk;
}

Result<int> token_list(const Call& call) {
  const ControllerClient& client = call.controller();
  auto listed = client.ask("LIST", "/v1/auth/token/accessors");
  if (!listed.ok() && listed.error().cause != Cause::not_found) {
    return listed.error();
  }
  const std::vector<Json> accessors =
      listed.ok() ? listed.value()["data"]["keys"].items() : std::vector<Json>();
  std::vector<std::vector<Value>> rows;
  for (const Json& accessor : accessors) {
    if (rows.size() == kTokensShownMax) {
      call.terminal.note(fmt::format("there are {} in all, the first {} are shown",
                                     accessors.size(), kTokensShownMax));
      break;
    }
    auto token = client.ask("POST", "/v1/auth/token/lookup-accessor",
                            Json::object({{"accessor", accessor}}));
    if (token.ok()) {
      rows.push_back(row_of(accessor.as_string(), token.value()["data"]));
    } else if (token.error().cause == Cause::unreachable || token.error().cause == Cause::denied) {
      return token.error();
    }  // Others have ended since they were listed.
  }
  call.terminal.show(table_from(
      {"accessor", "name", "policies", "expires", "uses_left", "requests_in_minute", "wrapped_kb"},
      std::move(rows)));
  return kExitOk;
}

Result<int> token_revoke(const Call& call, const RevokeOptions& options) {
  if (options.all == !options.accessor.empty()) {
    return Error{Fault::rejected, Cause::other, "name one token, or all of them",
                 "rowlock token revoke ACCESSOR, or rowlock token revoke --all"};
  }
  if (options.all) {
    TRY(call.controller().ask("POST", "/v1/auth/token/revoke-all", Json::object({})));
  } else {
    TRY(call.controller().ask("POST", "/v1/auth/token/revoke-accessor",
                              Json::object({{"accessor", Json::string(options.accessor)}})));
  }
  call.terminal.note("revoked");
  return kExitOk;
}

}  // namespace

void add_token_create(Verbs& token) {
  const auto [verb, said] = token.add("create", "Make a token, and show it once",
                                      "rowlock token create --policy deploy --ttl 1h --name ci",
                                      Needs::controller, token_create);
  verb.option("--policy", said.policies, "what it may do (again for more)")
      .again_for_more()
      .required();
  verb.duration("--ttl", said.ttl_ms, "how long it lives (default 8h)");
  verb.option("--name", said.name, "whose it is, for the audit log");
  verb.option("--uses", said.uses, "how often it can be used (default: any number)").at_least(0);
}

void add_token_list(Verbs& token) {
  token.add("list", "The tokens that live", "rowlock token list", Needs::controller, token_list);
}

void add_token_revoke(Verbs& token) {
  const auto [verb, said] = token.add("revoke", "End a token", "rowlock token revoke ACCESSOR",
                                      Needs::controller, token_revoke);
  verb.option("ACCESSOR", said.accessor, "as `rowlock token list` shows it");
  verb.flag("--all", said.all, "every token there is, whoever wrote its row");
}

}  // namespace rowlock
