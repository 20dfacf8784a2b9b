// Logging in with a JWT, through the interface: who gets in, and every way in which one must not.
#include "controller/secrets/login.h"

#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/secrets/claims.h"
#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>
#include <fmt/format.h>
#include <openssl/hmac.h>

using rowlock::ApiRig;
using rowlock::Json;
using rowlock::JwtSigner;
using rowlock::Reply;
using rowlock::SecretBytes;

namespace {

constexpr const char* kIssuer = "https://token.ci.test";
constexpr const char* kAudience = "https://github.test/school";

// A CI system that is trusted by the row 'ci'.
struct TrustedRig : ApiRig {
  SecretBytes seed = SecretBytes(std::string(32, 's'));
  JwtSigner signer{seed};

  TrustedRig() {
    sql(
        fmt::format("INSERT INTO trust (name, issuer, audience, claims, policies, keys, ttl_ms) "
                    "VALUES ('ci', '{}', '{}', '{{\"sub\":\"repo:school/*\"}}', '[\"deploy\"]', "
                    "'/keys', 600000)",
                    kIssuer, kAudience));
    const Json keys = Json::object({{"keys", Json::array({signer.public_key()})}});
    sql("INSERT INTO trust_keys (trust, source, keys) VALUES ('ci', '/keys', '" + keys.text() +
        "')");
  }

  std::vector<std::pair<std::string, Json>> claims() const {
    return {{"iss", Json::string(kIssuer)},
            {"sub", Json::string("repo:school/api:ref:refs/heads/main")},
            {"aud", Json::string(kAudience)},
            {"iat", Json::integer(now_ms / 1000)},
            {"nbf", Json::integer(now_ms / 1000)},
            {"exp", Json::integer(now_ms / 1000 + 300)},
            {"ref", Json::string("refs/heads/main")},
            {"run_attempt", Json::integer(2)},
            {"teams", Json::array({Json::string("web"), Json::string("ops")})},
            {"deep", Json::object({{"a/b", Json::array({Json(), Json::boolean(true)})}})}};
  }

  // With one claim set to another value, or to null: left out.
  std::string jwt(const std::string& name = "", const Json& value = Json()) const {
    std::vector<std::pair<std::string, Json>> members;
    for (auto& claim : claims()) {
      if (claim.first != name) {
        members.push_back(claim);
      }
    }
    if (!name.empty() && !value.is_null()) {
      members.emplace_back(name, value);
    }
    return signer.sign(Json::object(std::move(members)));
  }

  std::string last_audit() {
    return value(
        "SELECT outcome || '|' || operation || '|' || actor || '|' || detail FROM audit "
        "ORDER BY seq DESC LIMIT 1");
  }
};

std::string part(const std::string& jwt, int number) {
  std::size_t begin = 0;
  for (int i = 0; i < number; ++i) {
    begin = jwt.find('.', begin) + 1;
  }
  return jwt.substr(begin, std::min(jwt.find('.', begin), jwt.size()) - begin);
}

std::string hmac_signed(const std::string& header, const std::string& claims,
                        const std::string& key) {
  const std::string text = rowlock::to_base64url(header) + "." + claims;
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &size);
  return text + "." +
         rowlock::to_base64url(std::string_view(reinterpret_cast<const char*>(mac), size));
}

void expect_refused(const Reply& reply, const std::string& words, const std::string& name) {
  cr_expect_eq(reply.status, 400, "%s: %s", name.c_str(), reply.text.c_str());
  cr_expect(reply.error().find(words) != std::string::npos, "%s: %s", name.c_str(),
            reply.text.c_str());
  cr_expect(reply.body["auth"].is_null());
}

}  // namespace

// ---- Instances ----------------------------------------------------------------------------------

Test(secrets_login, an_instance_gets_a_token_with_the_policies_of_its_job) {
  ApiRig rig;
  const std::int64_t instance = rig.instance("web", "web-3");
  rig.sql(
      "INSERT INTO policy (name, path) VALUES ('db', 'db/*');"
      "INSERT INTO job_policy VALUES ('web', 'db')");
  cr_assert_eq(rig.ask("POST", "/v1/secret/data/db/x", R"({"data":{"k":"v"}})").status, 200);

  for (const char* role : {"web", ""}) {
    const Reply login = rig.log_in(role, rig.identity(instance));
    cr_assert_eq(login.status, 200, "%s", login.text.c_str());
    const Json auth = login.body["auth"];
    cr_expect(auth["policies"].text() == R"(["db"])");
    cr_expect(auth["metadata"]["role"].as_string() == "web");
    cr_expect_eq(auth["lease_duration"].as_integer(), 3600);
    cr_expect(auth["renewable"].as_boolean() && auth["orphan"].as_boolean());

    const std::string token = auth["client_token"].as_string();
    cr_expect_eq(rig.ask_with(token, "GET", "/v1/secret/data/db/x").status, 200);
    cr_expect_eq(rig.ask_with(token, "GET", "/v1/secret/data/app/x").status, 403);
  }
  cr_expect(rig.value("SELECT count(*) FROM audit WHERE operation = 'login' AND outcome = "
                      "'allowed' AND actor = 'instance web-3'") == "2");
}

Test(secrets_login, a_token_of_an_instance_lives_no_longer_than_its_identity) {
  ApiRig rig;
  rig.sql("INSERT INTO api (identity_ttl_ms) VALUES (90000)");
  const std::int64_t instance = rig.instance("web", "web-3");

  const Reply login = rig.log_in("web", rig.identity(instance));

  cr_expect_eq(login.body["auth"]["lease_duration"].as_integer(), 90);
}

Test(secrets_login, an_instance_is_refused_another_role) {
  ApiRig rig;
  const std::string web = rig.identity(rig.instance("web", "web-3"));
  rig.instance("api", "api-1");

  expect_refused(rig.log_in("api", web), "role 'api' is not the job", "another job's role");
}

Test(secrets_login, an_instance_that_is_not_kept_any_more_is_refused_and_so_is_its_token) {
  ApiRig rig;
  const std::string jwt = rig.identity(rig.instance("web", "web-3"));
  const std::string token = rig.log_in("web", jwt).body["auth"]["client_token"].as_string();
  rig.sql("UPDATE instance SET run = 0");

  expect_refused(rig.log_in("web", jwt), "is not kept any more", "run = 0");
  cr_expect_eq(rig.ask_with(token, "GET", "/v1/auth/token/lookup-self").status, 403);
  cr_expect_eq(rig.ask_with(token, "POST", "/v1/auth/token/renew-self").status, 403);
}

Test(secrets_login, an_identity_ends_to_the_second_and_is_not_taken_from_the_future) {
  ApiRig rig;
  const std::int64_t instance = rig.instance("web", "web-3");
  const std::string jwt = rig.identity(instance);
  rig.now_ms += 3'600'000;
  expect_refused(rig.log_in("web", jwt), "expired", "at its end");
  rig.now_ms -= 1;
  cr_expect_eq(rig.log_in("web", jwt).status, 200);

  rig.now_ms = ApiRig::kStartMs - 60'000;
  cr_expect_eq(rig.log_in("web", jwt).status, 200, "clocks may differ by a minute");
  rig.now_ms = ApiRig::kStartMs - 62'000;
  expect_refused(rig.log_in("web", jwt), "not valid yet", "from the future");
}

Test(secrets_login, an_identity_is_verified_against_our_keys_alone) {
  TrustedRig rig;
  rig.instance("web", "web-3");
  const Json claims = Json::object({{"iss", Json::string("https://rowlock.internal")},
                                    {"aud", Json::string("rowlock")},
                                    {"sub", Json::string("local:web:web-3")},
                                    {"exp", Json::integer(rig.now_ms / 1000 + 60)}});

  expect_refused(rig.log_in("web", rig.signer.sign(claims)), "error validating token",
                 "signed by the trusted issuer's key");
  expect_refused(rig.log_in("ci", rig.signer.sign(claims)), "error validating token",
                 "in its role");
  cr_expect(rig.last_audit().starts_with("denied|login|loopback|"), "%s", rig.last_audit().c_str());
}

Test(secrets_login, the_subject_of_an_identity_must_name_job_and_instance) {
  ApiRig rig;
  rig.instance("web", "web-3");
  const JwtSigner ours(rig.secrets.keyring.newest("identity").bytes);
  for (const char* sub : {"", "web-3", "web:web-3x", "web-3:", ":", "::", "local:api:web-3",
                          "local:web:", "local::web-3"}) {
    const Json claims = Json::object({{"iss", Json::string("https://rowlock.internal")},
                                      {"aud", Json::string("rowlock")},
                                      {"sub", Json::string(sub)},
                                      {"exp", Json::integer(rig.now_ms / 1000 + 60)}});
    cr_expect_eq(rig.log_in("", ours.sign(claims)).status, 400, "%s", sub);
  }
}

// ---- Those whom a row of trust believes ---------------------------------------------------------

Test(secrets_login, somebody_trusted_gets_a_short_token_with_the_policies_of_the_row) {
  TrustedRig rig;

  for (const char* role : {"ci", ""}) {
    const Reply login = rig.log_in(role, rig.jwt());
    cr_assert_eq(login.status, 200, "%s", login.text.c_str());
    const Json auth = login.body["auth"];
    cr_expect(auth["policies"].text() == R"(["deploy"])");
    cr_expect(auth["metadata"]["role"].as_string() == "ci");
    cr_expect_eq(auth["lease_duration"].as_integer(), 600);
    const Reply self =
        rig.ask_with(auth["client_token"].as_string(), "GET", "/v1/auth/token/lookup-self");
    cr_expect(self.data()["display_name"].as_string() == "ci: repo:school/api:ref:refs/heads/main");
    cr_expect_eq(self.data()["explicit_max_ttl"].as_integer(), 24 * 3600);
  }
}

Test(secrets_login, registered_claims_must_be_as_the_row_says) {
  TrustedRig rig;
  const std::int64_t now_s = rig.now_ms / 1000;
  const struct {
    const char* claim;
    Json value;
    const char* words;
  } cases[] = {
      {"iss", Json::string("https://token.ci.test/"), "claim iss"},
      {"iss", Json(), "claim iss"},
      {"iss", Json::array({Json::string(kIssuer)}), "claim iss"},
      {"aud", Json::string("https://github.test/schoolx"), "claim aud"},
      {"aud", Json::array({Json::string("other")}), "claim aud"},
      {"aud", Json(), "claim aud"},
      {"exp", Json(), "no claim exp"},
      {"exp", Json::string("9999999999"), "no claim exp"},
      {"exp", Json::integer(now_s), "expired"},
      {"exp", Json::integer(-1), "expired"},
      {"exp", Json::parse("1e999").value(), "no claim exp"},
      {"nbf", Json::parse("1e999").value(), "not valid yet"},
      {"nbf", Json::integer(now_s + 61), "not valid yet"},
      {"iat", Json::integer(now_s + 61), "not valid yet"},
      {"iat", Json::string("yesterday"), "not valid yet"},
      {"sub", Json::string("repo:other/api"), "claim sub"},
      {"sub", Json(), "claim sub"},
  };
  for (const auto& each : cases) {
    expect_refused(rig.log_in("ci", rig.jwt(each.claim, each.value)), each.words,
                   std::string(each.claim) + " " + each.value.text());
  }

  for (const auto& [claim, value] : std::vector<std::pair<std::string, Json>>{
           {"aud", Json::array({Json::string("other"), Json::string(kAudience)})},
           {"nbf", Json::integer(now_s + 60)},
           {"nbf", Json()},
           {"iat", Json()},
           {"exp", Json::number(static_cast<double>(now_s) + 0.5)},
           {"exp", Json::number(1e300)}}) {
    cr_expect_eq(rig.log_in("ci", rig.jwt(claim, value)).status, 200, "%s %s", claim.c_str(),
                 value.text().c_str());
  }
}

Test(secrets_login, wanted_claims_are_values_lists_patterns_and_pointers) {
  TrustedRig rig;
  const std::pair<const char*, bool> cases[] = {
      {R"({})", false},  // Whatever the CHECK says, which may have been passed by.
      {R"({"sub":"*"})", true},
      {R"({"ref":"refs/heads/main"})", true},
      {R"({"ref":"refs/heads/mai"})", false},
      {R"({"ref":["x","refs/*/main"]})", true},
      {R"({"ref":[]})", false},
      {R"({"ref":null})", false},
      {R"({"ref":{}})", false},
      {R"({"absent":"*"})", false},
      {R"({"run_attempt":"2"})", true},
      {R"({"run_attempt":2})", true},
      {R"({"run_attempt":1})", false},
      {R"({"teams":"ops"})", true},
      {R"({"teams":"dev"})", false},
      {R"({"deep":"*"})", false},
      {R"({"/deep/a~1b/1":true})", true},
      {R"({"/deep/a~1b/0":"*"})", false},
      {R"({"/deep/a~1b/2":"*"})", false},
      {R"({"/deep/a":"*"})", false},
      {R"({"/ref":"refs/heads/*","run_attempt":"1"})", false},
  };
  rig.sql("PRAGMA ignore_check_constraints = ON");
  for (const auto& [claims, is_in] : cases) {
    rig.sql(fmt::format("UPDATE trust SET claims = '{}'", claims));
    cr_expect_eq(rig.log_in("ci", rig.jwt()).status, is_in ? 200 : 400, "%s", claims);
  }
}

Test(secrets_login, a_star_wants_the_claim_to_be_there) {
  TrustedRig rig;
  rig.sql(R"(UPDATE trust SET claims = '{"sub":"*"}')");

  cr_expect_eq(rig.log_in("ci", rig.jwt("sub", Json::string("anybody"))).status, 200);
  cr_expect_eq(rig.log_in("ci", rig.jwt("sub", Json::integer(7))).status, 200);
  for (const Json& none : {Json(), Json::array({}), Json::object({{"a", Json::string("b")}})}) {
    expect_refused(rig.log_in("ci", rig.jwt("sub", none)), "claim sub", none.text());
  }
}

Test(secrets_login, a_star_stands_for_anything_and_nothing_else_does) {
  const struct {
    const char* text;
    const char* pattern;
    bool fits;
  } cases[] = {
      {"abc", "abc", true},     {"abc", "a*", true},    {"abc", "*c", true},
      {"abc", "*", true},       {"", "*", true},        {"", "", true},
      {"abc", "", false},       {"abc", "a*b", false},  {"aXbXc", "a*b*c", true},
      {"abab", "a*ab", true},   {"aab", "*aab*", true}, {"a.c", "a?c", false},
      {"ABC", "abc", false},    {"abc", "**b**", true}, {"main/x", "main", false},
      {"xmain", "main", false},
  };
  for (const auto& each : cases) {
    cr_expect_eq(rowlock::fits_pattern(each.text, each.pattern), each.fits, "%s ~ %s", each.text,
                 each.pattern);
  }
}

Test(secrets_login, signatures_that_are_none_or_of_another_kind_are_refused) {
  TrustedRig rig;
  const std::string good = rig.jwt();
  const std::string head = part(good, 0);
  const std::string claims = part(good, 1);
  const std::string signature = part(good, 2);
  const std::string public_bytes =
      rowlock::from_base64url(rig.signer.public_key()["x"].as_string()).value();
  const std::string key_set = rig.value("SELECT keys FROM trust_keys");
  const std::string kid = rig.signer.key_id();
  const auto none = [&](const char* alg) {
    return rowlock::to_base64url(fmt::format(R"({{"alg":"{}","typ":"JWT"}})", alg)) + "." + claims;
  };
  const auto hs256 = fmt::format(R"({{"alg":"HS256","kid":"{}","typ":"JWT"}})", kid);
  const JwtSigner stranger(SecretBytes(std::string(32, 'x')));
  const std::string changed = rowlock::to_base64url(
      Json::object({{"iss", Json::string(kIssuer)}, {"aud", Json::string(kAudience)}}).text());

  for (const auto& [name, jwt] : std::vector<std::pair<std::string, std::string>>{
           {"none, no signature", none("none") + "."},
           {"None", none("None") + "."},
           {"none, with the good signature", none("none") + "." + signature},
           {"no alg", rowlock::to_base64url("{}") + "." + claims + "." + signature},
           {"HS256 with the public key", hmac_signed(hs256, claims, public_bytes)},
           {"HS256 with the key set", hmac_signed(hs256, claims, key_set)},
           {"RS256 named over an Ed25519 key",
            rowlock::to_base64url(fmt::format(R"({{"alg":"RS256","kid":"{}"}})", kid)) + "." +
                claims + "." + signature},
           {"a stranger's key", stranger.sign(Json::object(rig.claims()))},
           {"other claims under the signature", head + "." + changed + "." + signature},
           {"no signature", head + "." + claims + "."},
           {"two parts", head + "." + claims},
           {"four parts", good + ".x"},
           {"nothing", "."},
           {"no JSON", "YQ.YQ.YQ"},
           {"too long", head + "." + std::string(20'000, 'A') + "." + signature}}) {
    expect_refused(rig.log_in("ci", jwt), "error validating token", name);
  }
  cr_expect(rig.value("SELECT count(*) FROM token") == "0");
  cr_expect(rig.value("SELECT count(*) FROM audit WHERE outcome = 'denied'") == "15");
  cr_expect_eq(rig.log_in("ci", good).status, 200);
}

Test(secrets_login, the_role_must_be_one_and_the_only_one) {
  TrustedRig rig;
  expect_refused(rig.log_in("cd", rig.jwt()), "role \"cd\" could not be found", "unknown role");
  expect_refused(rig.log_in("", rig.jwt("iss", Json::string("https://x.test"))),
                 "nobody trusts the issuer", "unknown issuer");

  rig.sql(
      "INSERT INTO trust (name, issuer, audience, claims, keys) SELECT 'ci-two', issuer, "
      "audience, claims, keys FROM trust");
  expect_refused(rig.log_in("", rig.jwt()), "name one as the role: ci, ci-two", "two rows");
  cr_expect_eq(rig.log_in("ci", rig.jwt()).status, 200);

  rig.sql(
      "INSERT INTO trust_keys (trust, source, keys) SELECT 'ci-two', source, keys FROM "
      "trust_keys; UPDATE trust SET issuer = 'https://else.test' WHERE name = 'ci-two'");
  expect_refused(rig.log_in("ci-two", rig.jwt()), "claim iss", "another issuer's row");
}

Test(secrets_login, keys_that_were_not_read_from_where_the_row_says_are_not_used) {
  TrustedRig rig;
  rig.sql("UPDATE trust SET keys = '/other'");
  expect_refused(rig.log_in("ci", rig.jwt()), "have not been read yet", "another source");

  rig.sql(
      "UPDATE trust SET keys = '/keys'; UPDATE trust_keys SET keys = '';"
      "INSERT INTO retry (kind, target, name, step, tries, detail, rejected, since_ms) VALUES "
      "('trust', 'ci', 'ci', 'read', 1, 'no route', 0, 0)");
  expect_refused(rig.log_in("ci", rig.jwt()), "have not been read yet: no route", "nothing read");

  rig.sql("DELETE FROM trust_keys; DELETE FROM retry");
  expect_refused(rig.log_in("ci", rig.jwt()), "have not been read yet", "no row");

  rig.sql("INSERT INTO trust_keys (trust, source, keys) VALUES ('ci', '/keys', '{\"keys\":[]}')");
  expect_refused(rig.log_in("ci", rig.jwt()), "cannot be used", "an empty set");
}

Test(secrets_login, who_was_refused_is_in_the_audit_log) {
  TrustedRig rig;

  rig.log_in("ci", rig.jwt("sub", Json::string("repo:evil/x\ny")));

  const std::string line = rig.last_audit();
  cr_expect(line.starts_with("denied|login|loopback|error validating token: its claim sub"), "%s",
            line.c_str());
  cr_expect(line.find("repo:evil/x y of https://token.ci.test") != std::string::npos, "%s",
            line.c_str());
}

Test(secrets_login, nobody_logs_in_while_the_store_is_sealed) {
  TrustedRig rig;
  const std::string jwt = rig.jwt();
  rig.secrets.keyring.seal();

  const Reply reply = rig.log_in("ci", jwt);

  cr_expect_eq(reply.status, 503);
  cr_expect(reply.error() == "Vault is sealed");
}
