// Answers that are fetched once, with a token of their own.
#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>

using rowlock::ApiRig;
using rowlock::HttpRequest;
using rowlock::Json;
using rowlock::Reply;

namespace {

Reply ask_wrapped(ApiRig& rig, const std::string& method, const std::string& path,
                  const std::string& body = "", const std::string& ttl = "60") {
  HttpRequest request = ApiRig::request(method, path, body);
  request.door = rowlock::Door::operators;
  request.user = 0;
  request.headers.emplace_back("X-Vault-Wrap-TTL", ttl);
  return rig.ask(request);
}

std::string named(const std::string& token) {
  return Json::object({{"token", Json::string(token)}}).text();
}

}  // namespace

Test(serve_vault_api_wrapping, a_wrapped_read_is_unwrapped_once) {
  ApiRig rig;
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"the value"}})");

  const Reply wrapped = ask_wrapped(rig, "GET", "/v1/secret/data/x", "", "1m");
  cr_assert_eq(wrapped.status, 200, "%s", wrapped.text.c_str());
  cr_expect(wrapped.data().is_null());
  cr_expect(wrapped.text.find("the value") == std::string::npos);
  const Json about = wrapped.body["wrap_info"];
  cr_expect_eq(about["ttl"].as_integer(), 60);
  cr_expect(about["creation_path"].as_string() == "secret/data/x");
  const std::string token = about["token"].as_string();

  const Reply lookup = rig.ask_with("", "POST", "/v1/sys/wrapping/lookup", named(token));
  cr_expect(lookup.data()["creation_path"].as_string() == "secret/data/x");
  cr_expect_eq(lookup.data()["creation_ttl"].as_integer(), 60);

  const Reply answer = rig.ask_with(token, "POST", "/v1/sys/wrapping/unwrap");
  cr_expect_eq(answer.status, 200);
  cr_expect(answer.data()["data"]["k"].as_string() == "the value");
  cr_expect(rig.value("SELECT operation || '|' || path || '|' || (value <> '') FROM audit ORDER BY "
                      "seq DESC LIMIT 1") == "unwrap|secret/data/x|1");
  for (const Reply& again : {rig.ask_with(token, "POST", "/v1/sys/wrapping/unwrap"),
                             rig.ask_with("", "POST", "/v1/sys/wrapping/unwrap", named(token)),
                             rig.ask_with("", "POST", "/v1/sys/wrapping/lookup", named(token))}) {
    cr_expect_eq(again.status, 400);
    cr_expect(again.error().starts_with("wrapping token is not valid or does not exist"));
  }
}

Test(serve_vault_api_wrapping, a_wrapped_login_holds_a_token) {
  ApiRig rig;
  const std::string jwt = rig.identity(rig.instance("web", "web-3"));

  const Reply wrapped = ask_wrapped(rig, "POST", "/v1/auth/jwt/login",
                                    Json::object({{"jwt", Json::string(jwt)}}).text());
  cr_assert_eq(wrapped.status, 200);
  cr_expect(wrapped.body["auth"].is_null());
  const Reply answer = rig.ask_with("", "POST", "/v1/sys/wrapping/unwrap",
                                    named(wrapped.body["wrap_info"]["token"].as_string()));
  const Json auth = answer.body["auth"];
  cr_expect(auth["accessor"].as_string() ==
            wrapped.body["wrap_info"]["wrapped_accessor"].as_string());
  cr_expect_eq(
      rig.ask_with(auth["client_token"].as_string(), "GET", "/v1/auth/token/lookup-self").status,
      200);
}

Test(serve_vault_api_wrapping, a_wrapping_token_opens_nothing_else) {
  ApiRig rig;
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"v"}})");
  const std::string token =
      ask_wrapped(rig, "GET", "/v1/secret/data/x").body["wrap_info"]["token"].as_string();

  for (const char* path : {"/v1/secret/data/x", "/v1/auth/token/lookup-self"}) {
    cr_expect_eq(rig.ask_with(token, "GET", path).status, 403);
  }
  const std::string person = rig.token_for("x", "read");
  cr_expect_eq(rig.ask_with(person, "POST", "/v1/sys/wrapping/unwrap").status, 400,
               "another token wraps nothing");
  cr_expect_eq(rig.ask_with(person, "POST", "/v1/sys/wrapping/unwrap", named(token)).status, 200);
}

Test(serve_vault_api_wrapping, it_expires) {
  ApiRig rig;
  const std::string token = ask_wrapped(rig, "POST", "/v1/sys/wrapping/wrap", R"({"a":"b"})")
                                .body["wrap_info"]["token"]
                                .as_string();
  rig.now_ms += 60'000;

  cr_expect_eq(rig.ask_with(token, "POST", "/v1/sys/wrapping/unwrap").status, 400);
}

Test(serve_vault_api_wrapping, what_was_wrapped_is_wrapped_again) {
  ApiRig rig;
  const Reply first = rig.ask("POST", "/v1/sys/wrapping/wrap", R"({"a":"b"})");
  cr_expect_eq(first.body["wrap_info"]["ttl"].as_integer(), 300);
  const std::string token = first.body["wrap_info"]["token"].as_string();

  const Reply second = rig.ask_with("", "POST", "/v1/sys/wrapping/rewrap", named(token));
  cr_assert_eq(second.status, 200);
  cr_expect(second.body["wrap_info"]["creation_path"].as_string() == "sys/wrapping/wrap");
  cr_expect_eq(rig.ask_with(token, "POST", "/v1/sys/wrapping/unwrap").status, 400);
  const Reply answer = rig.ask_with(second.body["wrap_info"]["token"].as_string(), "POST",
                                    "/v1/sys/wrapping/unwrap");
  cr_expect(answer.data().text() == R"({"a":"b"})");
}

Test(serve_vault_api_wrapping, failures_are_not_wrapped) {
  ApiRig rig;
  rig.ask("POST", "/v1/secret/data/x", R"({"data":{"k":"v"}})");

  cr_expect_eq(ask_wrapped(rig, "GET", "/v1/secret/data/none").status, 404);
  cr_expect_eq(ask_wrapped(rig, "GET", "/v1/secret/data/x", "", "soon").status, 400);
  cr_expect(ask_wrapped(rig, "GET", "/v1/secret/data/x", "", "0").body["wrap_info"].is_null());
  cr_expect_eq(ask_wrapped(rig, "DELETE", "/v1/secret/data/x").status, 204);
  cr_expect(rig.value("SELECT count(*) FROM token") == "0");
}
