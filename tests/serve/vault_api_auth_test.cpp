// Who is asking, and what can be done with tokens.
#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>

#include <unistd.h>

using rowlock::ApiRig;
using rowlock::HttpRequest;
using rowlock::Json;
using rowlock::Reply;

namespace {

const char* const kX = "/v1/secret/data/db/x";

std::string last_audit(ApiRig& rig) {
  return rig.value(
      "SELECT outcome || '|' || operation || '|' || actor FROM audit ORDER BY seq DESC "
      "LIMIT 1");
}

}  // namespace

Test(serve_vault_api_auth, only_the_operator_needs_no_token) {
  ApiRig rig;
  rig.ask("POST", kX, R"({"data":{"a":"1"}})");
  HttpRequest request = ApiRig::request("GET", kX, "");

  for (const std::int64_t user : {std::int64_t{0}, std::int64_t{geteuid()}}) {
    request.door = rowlock::Door::operators;
    request.user = user;
    cr_expect_eq(rig.ask(request).status, 200);
  }
  request.door = rowlock::Door::operators;
  request.user = 54321;
  const Reply other = rig.ask(request);
  cr_expect_eq(other.status, 403);
  cr_expect(other.error() == "permission denied");
  cr_expect(other.error(1).find("user 54321") != std::string::npos);
  cr_expect(last_audit(rig) == "denied|read|user 54321");
  request.user.reset();
  cr_expect_eq(rig.ask(request).status, 403);
  cr_expect(last_audit(rig) == "denied|read|a container");
  request.user = 0;  // Nobody says so, but at the operators' door.
  request.door = rowlock::Door::programs;
  cr_expect_eq(rig.ask(request).status, 403);
  cr_expect(last_audit(rig) == "denied|read|api.sock");
  request.door = rowlock::Door::loopback;
  cr_expect_eq(rig.ask(request).status, 403);
  cr_expect(last_audit(rig) == "denied|read|loopback");
}

Test(serve_vault_api_auth, a_token_comes_in_either_header_and_counts_for_the_operator_too) {
  ApiRig rig;
  rig.ask("POST", kX, R"({"data":{"a":"1"}})");
  const std::string token = rig.token_for("db/*", "read");

  HttpRequest request = ApiRig::request("GET", kX, "");
  request.headers.emplace_back("authorization", "Bearer " + token);
  cr_expect_eq(rig.ask(request).status, 200);
  request.headers.back() = {"x-vault-token", token};
  request.headers.emplace_back("X-Vault-Request", "true");
  cr_expect_eq(rig.ask(request).status, 200);

  request = ApiRig::request("DELETE", kX, "");
  request.door = rowlock::Door::operators;
  request.user = geteuid();
  request.headers.emplace_back("X-Vault-Token", token);
  cr_expect_eq(rig.ask(request).status, 403, "who shows a token asks with it");
  request.headers.back().second = "rlk." + std::string(43, 'A');
  cr_expect_eq(rig.ask(request).status, 403, "an invalid one is not passed over");
}

Test(serve_vault_api_auth, namespaces_are_refused_in_words) {
  ApiRig rig;
  for (const auto& [space, status] : std::vector<std::pair<const char*, int>>{
           {"", 200}, {"root", 200}, {"/", 200}, {"team", 400}, {"root/team", 400}}) {
    HttpRequest request = ApiRig::request("GET", "/v1/sys/seal-status", "");
    request.headers.emplace_back("X-Vault-Namespace", space);
    cr_expect_eq(rig.ask(request).status, status, "'%s'", space);
  }
}

Test(serve_vault_api_auth, what_there_is_not_is_told_apart_from_what_cannot_be_done) {
  ApiRig rig;
  const Reply unknown = rig.ask("GET", "/v1/transit/keys");
  cr_expect(unknown.status == 404 && !unknown.error().empty());
  cr_expect_eq(rig.ask("GET", "/v2/secret/data/x").status, 404);
  cr_expect_eq(rig.ask("GET", "/").status, 404);
  const Reply unsupported = rig.ask("DELETE", "/v1/sys/health");
  cr_expect(unsupported.status == 405 && unsupported.error() == "unsupported operation");
}

Test(serve_vault_api_auth, a_token_says_what_it_is) {
  ApiRig rig;
  rig.sql("INSERT INTO policy (name, path) VALUES ('p', 'db/*')");
  const Reply made = rig.ask("POST", "/v1/auth/token/create",
                             R"({"policies":["p","default"],"ttl":"1h","explicit_max_ttl":"2h",)"
                             R"("display_name":"anna","num_uses":3})");
  cr_assert_eq(made.status, 200, "%s", made.text.c_str());
  const Json auth = made.body["auth"];
  cr_expect_eq(auth["lease_duration"].as_integer(), 3600);
  cr_expect(auth["policies"].text() == R"(["p"])");
  const std::string token = auth["client_token"].as_string();

  rig.now_ms += 600'000;
  const Json self = rig.ask_with(token, "GET", "/v1/auth/token/lookup-self").data();
  cr_expect(self["id"].as_string() == token);
  cr_expect(self["accessor"].as_string() == auth["accessor"].as_string());
  cr_expect(self["display_name"].as_string() == "anna");
  cr_expect_eq(self["creation_ttl"].as_integer(), 3600);
  cr_expect_eq(self["ttl"].as_integer(), 3000);
  cr_expect_eq(self["explicit_max_ttl"].as_integer(), 7200);
  cr_expect_eq(self["num_uses"].as_integer(), 2);
  cr_expect(self["policies"].text() == R"(["p"])");

  const Reply renewed = rig.ask_with(token, "POST", "/v1/auth/token/renew-self");
  cr_expect_eq(renewed.body["auth"]["lease_duration"].as_integer(), 3600);
  cr_expect(renewed.body["auth"]["client_token"].as_string() == token);
  cr_expect_eq(rig.ask_with(token, "GET", kX).status, 404, "its last use");
  cr_expect_eq(rig.ask_with(token, "GET", kX).status, 403, "used up");
}

Test(serve_vault_api_auth, a_use_counts_also_when_the_request_fails) {
  ApiRig rig;
  const Reply made = rig.ask("POST", "/v1/auth/token/create", R"({"num_uses":2})");
  const std::string token = made.body["auth"]["client_token"].as_string();

  cr_expect(rig.ask_with(token, "GET", kX).error(1).find("may not read") != std::string::npos);
  cr_expect(rig.ask_with(token, "GET", kX).error(1).find("may not read") != std::string::npos);
  cr_expect(rig.ask_with(token, "GET", kX).error(1).find("not known") != std::string::npos);
}

Test(serve_vault_api_auth, a_token_revokes_itself) {
  ApiRig rig;
  const std::string token = rig.token_for("db/*", "read");

  cr_expect_eq(rig.ask_with(token, "POST", "/v1/auth/token/revoke-self").status, 204);
  cr_expect_eq(rig.ask_with(token, "GET", "/v1/auth/token/lookup-self").status, 403);
}

Test(serve_vault_api_auth, the_operator_rules_over_tokens_by_their_accessors) {
  ApiRig rig;
  const std::string token = rig.token_for("db/*", "read");
  const Json keys = rig.ask("LIST", "/v1/auth/token/accessors").data()["keys"];
  cr_assert_eq(keys.items().size(), 1u);
  const std::string body =
      Json::object({{"accessor", Json::string(keys.items()[0].as_string())}}).text();

  const Reply found = rig.ask("POST", "/v1/auth/token/lookup-accessor", body);
  cr_expect_eq(found.status, 200);
  cr_expect(found.data()["id"].as_string().empty());
  cr_expect_eq(rig.ask("POST", "/v1/auth/token/revoke-accessor", body).status, 204);
  cr_expect_eq(rig.ask_with(token, "GET", "/v1/auth/token/lookup-self").status, 403);
  cr_expect_eq(rig.ask("POST", "/v1/auth/token/revoke-accessor", body).status, 404);
}

Test(serve_vault_api_auth, a_token_cannot_do_what_is_the_operators) {
  ApiRig rig;
  const std::string token = rig.token_for("*", "create,read,update,patch,delete,list");
  for (const auto& [method, path] :
       std::vector<std::pair<const char*, const char*>>{{"POST", "/v1/auth/token/create"},
                                                        {"LIST", "/v1/auth/token/accessors"},
                                                        {"POST", "/v1/auth/token/lookup-accessor"},
                                                        {"POST", "/v1/auth/token/revoke-accessor"},
                                                        {"POST", "/v1/sys/init"},
                                                        {"POST", "/v1/sys/seal"},
                                                        {"POST", "/v1/sys/rotate"},
                                                        {"POST", "/v1/rowlock/rekey"},
                                                        {"GET", "/v1/rowlock/audit/verify"},
                                                        {"GET", "/v1/secret/config"}}) {
    const Reply reply = rig.ask_with(token, method, path, "{}");
    cr_expect_eq(reply.status, 403, "%s", path);
    cr_expect(reply.error(1).find("for the operator alone") != std::string::npos, "%s", path);
    cr_expect(last_audit(rig).starts_with("denied|"), "%s", path);
    cr_expect_eq(rig.ask_with("", method, path, "{}").status, 403, "%s", path);
  }
}

Test(serve_vault_api_auth, a_token_is_made_with_policies_that_there_are) {
  ApiRig rig;
  rig.sql("INSERT INTO policy (name, path) VALUES ('p', 'db/*'), ('q', 'x')");

  for (const auto& [body, status] :
       std::vector<std::pair<const char*, int>>{{R"({"policies":["p","q"]})", 200},
                                                {R"({"policies":"p,q"})", 200},
                                                {R"({"policies":["root"]})", 400},
                                                {R"({"policies":["p","nope"]})", 400},
                                                {R"({"ttl":"x"})", 400},
                                                {R"({"num_uses":-1})", 400},
                                                {"", 200}}) {
    cr_expect_eq(rig.ask("POST", "/v1/auth/token/create", body).status, status, "%s", body);
  }
}

Test(serve_vault_api_auth, capabilities_are_told_for_paths_as_clients_write_them) {
  ApiRig rig;
  const std::string token = rig.token_for("db/*", "read,list");

  const Reply reply =
      rig.ask_with(token, "POST", "/v1/sys/capabilities-self",
                   R"({"paths":["secret/data/db/x","secret/metadata/db/","secret/data/app"]})");
  cr_assert_eq(reply.status, 200);
  for (const Json& both : {reply.body, reply.data()}) {
    cr_expect(both["secret/data/db/x"].text() == R"(["list","read"])");
    cr_expect(both["secret/metadata/db/"].text() == R"(["list","read"])");
    cr_expect(both["secret/data/app"].text() == R"(["deny"])");
  }
  const Reply one =
      rig.ask_with(token, "POST", "/v1/sys/capabilities-self", R"({"path":"secret/data/db/x"})");
  cr_expect(one.body["capabilities"].text() == R"(["list","read"])");
  cr_expect(rig.ask("POST", "/v1/sys/capabilities-self", R"({"path":"x"})").body["x"].text() ==
            R"(["root"])");
  cr_expect_eq(rig.ask_with(token, "POST", "/v1/sys/capabilities-self", "{}").status, 400);
}

Test(serve_vault_api_auth, the_one_mount_is_told) {
  ApiRig rig;
  const std::string token = rig.token_for("db/*", "read");

  const Reply mounts = rig.ask_with(token, "GET", "/v1/sys/mounts");
  cr_expect(mounts.data()["secret/"]["options"]["version"].as_string() == "2");
  cr_expect(mounts.body["secret/"]["type"].as_string() == "kv");
  for (const char* path : {"secret", "secret/db/x"}) {
    const Reply mount =
        rig.ask_with(token, "GET", std::string("/v1/sys/internal/ui/mounts/") + path);
    cr_expect(mount.data()["options"]["version"].as_string() == "2");
    cr_expect(mount.data()["path"].as_string() == "secret/");
  }
  cr_expect_eq(rig.ask_with(token, "GET", "/v1/sys/internal/ui/mounts/kv").status, 403);
}

// Each value costs, and who sends them is not known yet.
Test(serve_vault_api_auth, a_stranger_is_read_no_more_values_than_a_login_has) {
  ApiRig rig;
  std::string body = R"({"role":"x","jwt":"x","more":[0)";
  for (int i = 0; i < 100; ++i) body += ",0";
  HttpRequest request = ApiRig::request("POST", "/v1/auth/jwt/login", body + "]}");

  const Reply reply = rig.ask(request);

  cr_expect_eq(reply.status, 400);
  cr_expect(reply.error().find("more than 100 values") != std::string::npos, "%s",
            reply.error().c_str());
}
