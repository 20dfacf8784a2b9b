// The identities of instances, and the documents by which others verify them.
#include "controller/secrets/identity.h"

#include "tests/serve/api_rig.h"

#include <criterion/criterion.h>

using rowlock::ApiRig;
using rowlock::Cause;
using rowlock::Json;
using rowlock::JwtKeys;

Test(secrets_identity, says_who_the_instance_is) {
  ApiRig rig;
  rig.sql(
      "UPDATE node SET site = 'home:cellar';"
      "INSERT INTO api (issuer, audience, identity_ttl_ms) VALUES ('https://id.test', 'all', "
      "60000)");
  const std::int64_t instance = rig.instance("web", "web-3");

  const auto identity = rig.secrets.identities.sign(instance, rig.now_ms);
  cr_assert(identity.ok());
  cr_expect_eq(identity.value().expires_at_ms, rig.now_ms + 60'000);
  const auto verified = rig.secrets.identities.verify(identity.value().jwt);
  cr_assert(verified.ok());
  const Json& claims = verified.value().claims;

  cr_expect(claims["iss"].as_string() == "https://id.test");
  cr_expect(claims["sub"].as_string() == "home:cellar:web:web-3");
  cr_expect(claims["aud"].as_string() == "all");
  cr_expect_eq(claims["iat"].as_integer(), rig.now_ms / 1000);
  cr_expect_eq(claims["nbf"].as_integer(), rig.now_ms / 1000);
  cr_expect_eq(claims["exp"].as_integer(), rig.now_ms / 1000 + 60);
  cr_expect_eq(claims["jti"].as_string().size(), 32u);
  cr_expect(claims["rowlock_job"].as_string() == "web");
  cr_expect(claims["rowlock_home"].as_string() == rig.value("SELECT id FROM home"));
}

Test(secrets_identity, no_two_are_the_same) {
  ApiRig rig;
  const std::int64_t instance = rig.instance("web", "web-3");

  cr_expect(rig.identity(instance) != rig.identity(instance));
}

Test(secrets_identity, is_given_to_an_instance_that_is_kept_and_to_no_other) {
  ApiRig rig;
  const std::int64_t instance = rig.instance("web", "web-3");
  rig.sql("UPDATE instance SET run = 0");

  for (const std::int64_t id : {instance, instance + 1}) {
    const auto identity = rig.secrets.identities.sign(id, rig.now_ms);
    cr_expect(!identity.ok() && identity.error().cause == Cause::not_found);
  }
}

Test(secrets_identity, is_verified_by_the_published_keys_also_after_a_rotation) {
  ApiRig rig;
  const std::string before = rig.identity(rig.instance("web", "web-3"));
  const auto keys_before = rig.secrets.identities.key_set();
  cr_assert(rig.ask("POST", "/v1/sys/rotate").status == 200);
  const std::string after = rig.identity(1);

  const auto keys = rig.secrets.identities.key_set();

  cr_assert(keys_before.ok() && keys.ok());
  cr_expect_eq(keys.value()["keys"].items().size(), 2u);
  const auto set = JwtKeys::parse(keys.value().text());
  cr_assert(set.ok());
  cr_expect(set.value().verify(before).ok());
  cr_expect(set.value().verify(after).ok());
  const auto old_set = JwtKeys::parse(keys_before.value().text());
  cr_assert(old_set.ok());
  cr_expect(!old_set.value().verify(after).ok());
  for (const Json& key : keys.value()["keys"].items()) {
    cr_expect(key["d"].is_null(), "the private half is not published");
    cr_expect(key["kty"].as_string() == "OKP");
  }
}

Test(secrets_identity, is_discovered_as_openid_connect_says) {
  ApiRig rig;
  rig.sql("INSERT INTO api (issuer) VALUES ('https://id.test')");

  const auto document = rig.secrets.identities.discovery();

  cr_assert(document.ok());
  const Json& json = document.value();
  cr_expect(json["issuer"].as_string() == "https://id.test");
  cr_expect(json["jwks_uri"].as_string() == "https://id.test/.well-known/jwks.json");
  cr_expect(json["response_types_supported"].text() == R"(["id_token"])");
  cr_expect(json["subject_types_supported"].text() == R"(["public"])");
  cr_expect(json["id_token_signing_alg_values_supported"].text() == R"(["EdDSA"])");
}

Test(secrets_identity, needs_the_keys) {
  ApiRig rig;
  const std::int64_t instance = rig.instance("web", "web-3");
  const std::string jwt = rig.identity(instance);
  rig.secrets.keyring.seal();

  cr_expect(!rig.secrets.identities.sign(instance, rig.now_ms).ok());
  cr_expect(!rig.secrets.identities.verify(jwt).ok());
  cr_expect(!rig.secrets.identities.key_set().ok());
  cr_expect(rig.secrets.identities.discovery().ok());
}
