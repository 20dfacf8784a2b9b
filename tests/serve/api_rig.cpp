// Each ask() is one transaction, as ApiService makes it; an answer of the interface is a value here
// and no socket is opened.
#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <unistd.h>

namespace rowlock {

namespace {

Database opened(const std::string& path, const Schema& schema, std::int64_t now_ms) {
  auto state = open_state(path, schema, now_ms);
  cr_assert(state.ok(), "%s", state.ok() ? "" : state.error().message.c_str());
  return std::move(state).value();
}

}  // namespace

std::string Reply::error(std::size_t number) const {
  const auto errors = body["errors"].items();
  return number < errors.size() ? errors[number].as_string() : "";
}

ApiRig::ApiRig(bool is_made)
    : state(opened(folder / "state.db", schema, kStartMs)),
      secrets(state, schema),
      api(secrets, state, schema) {
  cr_assert(secrets.keyring.load().ok());
  sql("INSERT INTO node (name) VALUES ('local')");
  if (!is_made) {
    return;
  }
  const Reply made =
      ask("PUT", "/v1/sys/init", R"({"secret_shares":3,"secret_threshold":2,"return_key":true})");
  cr_assert_eq(made.status, 200, "%s", made.text.c_str());
  for (const Json& share : made.body["keys"].items()) {
    shares.push_back(share.as_string());
  }
  unseal_key = made.body["unseal_key"].as_string();
}

void ApiRig::sql(const std::string& statements) {
  const auto done = state.run(statements);
  cr_assert(done.ok(), "%s: %s", statements.c_str(), done.ok() ? "" : done.error().message.c_str());
}

std::string ApiRig::value(const std::string& query) {
  const auto found = state.scalar(query);
  cr_assert(found.ok(), "%s: %s", query.c_str(), found.ok() ? "" : found.error().message.c_str());
  return text_of(found.value());
}

std::string ApiRig::token_for(const std::string& path, const std::string& capabilities) {
  sql(
      fmt::format("INSERT OR REPLACE INTO policy (name, path, capabilities) VALUES ('p', '{}', "
                  "'{}')",
                  path, capabilities));
  const Reply made = ask("POST", "/v1/auth/token/create", R"({"policies":["p"]})");
  cr_assert_eq(made.status, 200, "%s", made.text.c_str());
  return made.body["auth"]["client_token"].as_string();
}

std::int64_t ApiRig::instance(const std::string& job, const std::string& name) {
  sql(fmt::format(
      "INSERT OR IGNORE INTO job (name, image) VALUES ('{0}', 'i:1');"
      "INSERT INTO instance (job, slot, spec, node, name, container, streak, cpus, memory_mb, "
      "stop_signal, stop_timeout_ms, placed_at_ms, since_ms) "
      "SELECT '{0}', count(*), 1, 'local', '{1}', 'running', 0, 0, 0, 'SIGTERM', 0, 0, 0 "
      "FROM instance WHERE job = '{0}'",
      job, name));
  return std::stoll(value("SELECT max(id) FROM instance"));
}

std::string ApiRig::identity(std::int64_t instance) {
  const auto signed_identity = secrets.identities.sign(instance, now_ms);
  cr_assert(signed_identity.ok(), "%s",
            signed_identity.ok() ? "" : signed_identity.error().message.c_str());
  return signed_identity.value().jwt;
}

HttpRequest ApiRig::request(const std::string& method, const std::string& path,
                            const std::string& body) {
  HttpRequest request;
  request.method = method;
  request.path = path.substr(0, path.find('?'));
  if (request.path != path) {
    const std::string parameter = path.substr(path.find('?') + 1);
    const std::size_t equals = parameter.find('=');
    request.query.emplace_back(parameter.substr(0, equals), parameter.substr(equals + 1));
  }
  request.body = body;
  if (method == "PATCH") {
    request.headers.emplace_back("Content-Type", "application/merge-patch+json");
  }
  return request;
}

Reply ApiRig::ask(HttpRequest request) {
  auto transaction = Transaction::begin(state);
  cr_assert(transaction.ok());
  auto answer = api.answer(request, now_ms);
  cr_assert(answer.ok(), "%s", answer.ok() ? "" : answer.error().message.c_str());
  cr_assert(std::move(transaction).value().commit().ok());
  const VaultApi::Answer& answered = answer.value();
  const HttpResponse response = answered.later ? answered.later() : answered.response;
  Reply reply;
  reply.status = response.status;
  reply.text = response.body;
  if (!reply.text.empty()) {
    auto body = Json::parse(reply.text);
    cr_assert(body.ok(), "%s", reply.text.c_str());
    reply.body = body.value();
  }
  return reply;
}

Reply ApiRig::ask(const std::string& method, const std::string& path, const std::string& body) {
  HttpRequest asked = request(method, path, body);
  asked.door = rowlock::Door::operators;
  asked.user = geteuid();
  return ask(std::move(asked));
}

Reply ApiRig::ask_with(const std::string& token, const std::string& method, const std::string& path,
                       const std::string& body) {
  HttpRequest asked = request(method, path, body);
  if (!token.empty()) {
    asked.headers.emplace_back("X-Vault-Token", token);
  }
  return ask(std::move(asked));
}

Reply ApiRig::log_in(const std::string& role, const std::string& jwt) {
  const Json body = Json::object({{"role", Json::string(role)}, {"jwt", Json::string(jwt)}});
  return ask_with("", "POST", "/v1/auth/jwt/login", body.text());
}

}  // namespace rowlock
