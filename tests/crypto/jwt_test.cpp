// Tokens: the published ones, ours, and those of other issuers. What must be refused is in
// jwt_attack_test.cpp.
#include "controller/crypto/jwt.h"

#include "controller/crypto/encoding.h"
#include "controller/crypto/jwk.h"
#include "tests/crypto/foreign_key.h"

#include <criterion/criterion.h>

using namespace rowlock;

namespace {

// RFC 7515, appendix A.1.1.
const std::string kPayload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";

const std::string kRsaKey =
    R"({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHm)"
    R"(fHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9)"
    R"(wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4u)"
    R"(DZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb)"
    R"(54h4FRWyuXpoQ"})";
const std::string kRsaToken =
    "eyJhbGciOiJSUzI1NiJ9." + kPayload +
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1"
    "L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYE"
    "UipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

const std::string kEcKey =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
const std::string kEcToken =
    "eyJhbGciOiJFUzI1NiJ9." + kPayload +
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

// RFC 8037, appendix A.1.
const std::string kEdwardsSeed = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const std::string kEdwardsPoint = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

JwtSigner published_signer() {
  return JwtSigner(SecretBytes(from_base64url(kEdwardsSeed).value()));
}

JwtKeys keys_of(const std::string& key) {
  const auto keys = JwtKeys::parse("{\"keys\":[" + key + "]}");
  cr_assert(keys.ok(), "%s", keys.error().message.c_str());
  return keys.value();
}

Json text(const char* value) { return Json::string(value); }

}  // namespace

Test(crypto_jwt, the_tokens_of_rfc_7515_are_verified) {
  for (const auto& [key, token] : {std::pair{kRsaKey, kRsaToken}, std::pair{kEcKey, kEcToken}}) {
    const auto jwt = keys_of(key).verify(token);
    cr_assert(jwt.ok(), "%s", jwt.error().message.c_str());
    cr_expect(jwt.value().claims["iss"].as_string() == "joe");
    cr_expect_eq(jwt.value().claims["exp"].as_integer(), 1300819380);
    cr_expect(jwt.value().claims["http://example.com/is_root"].as_boolean());
  }
  cr_expect(!keys_of(kRsaKey).verify(kEcToken).ok());
  cr_expect(!keys_of(kEcKey).verify(kRsaToken).ok());
}

// RFC 8037, appendix A.4. Its payload is not JSON, so that it is no JWT.
Test(crypto_jwt, the_signature_of_rfc_8037_is_verified) {
  const auto key = Jwk::parse(published_signer().public_key());
  const std::string signed_text = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
  const std::string signature =
      from_base64url(
          "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
          .value();

  cr_assert(key.ok());
  cr_expect(key.value().verifies(JwsAlgorithm::eddsa, signed_text, signature));
  cr_expect(!key.value().verifies(JwsAlgorithm::eddsa, signed_text + "x", signature));
  cr_expect(!key.value().verifies(JwsAlgorithm::eddsa, signed_text, signature.substr(1)));
  cr_expect(!key.value().verifies(JwsAlgorithm::es256, signed_text, signature));
}

// RFC 8037, appendix A.2 and A.3: the thumbprint of RFC 7638.
Test(crypto_jwt, a_signer_publishes_its_key_under_its_thumbprint) {
  const JwtSigner signer = published_signer();

  cr_expect(signer.key_id() == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  cr_expect(signer.public_key().text() ==
            R"({"alg":"EdDSA","crv":"Ed25519","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",)"
            R"("kty":"OKP","use":"sig","x":")" +
                kEdwardsPoint + "\"}");
}

Test(crypto_jwt, what_a_signer_signed_is_verified_by_its_public_key) {
  const JwtSigner signer(SecretBytes::random(32));
  const Json claims = Json::object({{"sub", text("größe")}, {"exp", Json::integer(1)}});
  const std::string token = signer.sign(claims);

  const auto jwt = keys_of(signer.public_key().text()).verify(token);
  cr_assert(jwt.ok());
  cr_expect(jwt.value().claims.text() == claims.text());
  cr_expect(jwt.value().header.text() ==
            R"({"alg":"EdDSA","kid":")" + signer.key_id() + R"(","typ":"JWT"})");
  const auto other = keys_of(JwtSigner(SecretBytes::random(32)).public_key().text()).verify(token);
  cr_expect(!other.ok());
}

Test(crypto_jwt, every_accepted_algorithm_verifies_what_its_key_signed) {
  const ForeignKey rsa = ForeignKey::rsa();
  const ForeignKey p256 = ForeignKey::elliptic("P-256");
  const ForeignKey p384 = ForeignKey::elliptic("P-384");
  const std::vector<std::pair<const ForeignKey*, std::string>> cases = {
      {&rsa, "RS256"}, {&rsa, "RS384"}, {&rsa, "RS512"},  {&rsa, "PS256"},
      {&rsa, "PS384"}, {&rsa, "PS512"}, {&p256, "ES256"}, {&p384, "ES384"}};
  for (const auto& [key, algorithm] : cases) {
    const std::string token = key->token(R"({"alg":")" + algorithm + "\"}", R"({"sub":"ci"})");
    const Json named = key->public_key({{"alg", Json::string(algorithm)}});

    const auto jwt = JwtKeys::of({key->public_key()}).value().verify(token);
    cr_expect(jwt.ok() && jwt.value().claims["sub"].as_string() == "ci", "%s", algorithm.c_str());
    cr_expect(JwtKeys::of({named}).value().verify(token).ok(), "%s", algorithm.c_str());
  }
}

Test(crypto_jwt, numbers_that_begin_with_zeros_are_padded_in_es256) {
  const ForeignKey key = ForeignKey::elliptic("P-256");
  const JwtKeys keys = JwtKeys::of({key.public_key()}).value();
  for (int i = 0; i < 600; ++i) {  // One in 128 has such an r or s.
    const std::string claims = R"({"n":)" + std::to_string(i) + "}";
    cr_expect(keys.verify(key.token(R"({"alg":"ES256"})", claims)).ok(), "%d", i);
  }
}

Test(crypto_jwt, the_key_is_found_by_its_id_or_else_all_are_tried) {
  const ForeignKey first = ForeignKey::elliptic("P-256");
  const ForeignKey second = ForeignKey::elliptic("P-256");
  const JwtKeys keys =
      JwtKeys::of({first.public_key({{"kid", text("1")}}), second.public_key({{"kid", text("2")}})})
          .value();

  cr_expect(keys.verify(second.token(R"({"alg":"ES256","kid":"2"})", "{}")).ok());
  cr_expect(keys.verify(second.token(R"({"alg":"ES256"})", "{}")).ok());
  cr_expect(!keys.verify(second.token(R"({"alg":"ES256","kid":"1"})", "{}")).ok());
  const auto unknown = keys.verify(second.token(R"({"alg":"ES256","kid":"3"})", "{}"));
  cr_assert(!unknown.ok());
  cr_expect(unknown.error().message == "token: none of the issuer's keys has its kid");
}

Test(crypto_jwt, two_keys_of_one_id_are_both_tried) {
  const ForeignKey first = ForeignKey::elliptic("P-256");
  const ForeignKey second = ForeignKey::rsa();
  const ForeignKey third = ForeignKey::elliptic("P-256");
  std::vector<Json> published;
  for (const ForeignKey* key : {&first, &second, &third}) {
    published.push_back(key->public_key({{"kid", text("same")}}));
  }
  const JwtKeys keys = JwtKeys::of(published).value();

  cr_expect(keys.verify(first.token(R"({"alg":"ES256","kid":"same"})", "{}")).ok());
  cr_expect(keys.verify(second.token(R"({"alg":"RS256","kid":"same"})", "{}")).ok());
  cr_expect(keys.verify(third.token(R"({"alg":"ES256","kid":"same"})", "{}")).ok());
}

Test(crypto_jwt, keys_that_cannot_verify_are_passed_over) {
  const ForeignKey rsa = ForeignKey::rsa();
  const Json good = rsa.public_key();
  const std::string token = rsa.token(R"({"alg":"RS256"})", "{}");
  const std::string point = kEdwardsPoint.substr(0, 42);
  const std::vector<std::pair<Json, std::string>> cases = {
      {rsa.public_key({{"use", text("enc")}}), "not for signatures"},
      {rsa.public_key({{"key_ops", Json::array({text("encrypt")})}}), "not for signatures"},
      {rsa.public_key({{"alg", text("RSA-OAEP")}}), "its alg"},
      {rsa.public_key({{"alg", text("ES256")}}), "its alg"},
      {rsa.public_key({{"alg", text("HS256")}}), "its alg"},
      {rsa.public_key({{"kid", Json::integer(1)}}), "its kid"},
      {ForeignKey::rsa(1024).public_key(), "fewer than 2048 bits"},
      {ForeignKey::elliptic("P-521").public_key(), "a curve other"},
      {Json::object({{"kty", text("oct")}, {"k", text("c2VjcmV0")}}), "neither RSA"},
      {Json::object({{"kty", text("RSA")}}), "fewer than 2048 bits"},
      {Json::object({{"kty", text("RSA")}, {"n", good["n"]}, {"e", text("AQ")}}), "not an RSA key"},
      {Json::object({{"kty", text("RSA")}, {"n", good["n"]}, {"e", text("Ag")}}), "not an RSA key"},
      {Json::object({{"kty", text("RSA")}, {"n", good["n"]}, {"e", text("AQAB=")}}), "base64url"},
      {Json::object({{"kty", text("RSA")}, {"n", good["n"]}, {"e", text("AQABAQABAQABAQAB")}}),
       "too long"},
      {Json::object({{"kty", text("OKP")}, {"crv", text("X25519")}, {"x", text("AA")}}),
       "a curve other than Ed25519"},
      {Json::object({{"kty", text("OKP")}, {"crv", text("Ed25519")}, {"x", Json::string(point)}}),
       "not 32 bytes"},
      {Json::object({}), "neither RSA"},
      {Json::integer(1), "not an object"},
  };
  for (const auto& [key, reason] : cases) {
    const auto alone = JwtKeys::of({key});
    cr_expect(!alone.ok(), "%s", key.text().c_str());
    if (!alone.ok()) {
      cr_expect(alone.error().message.find(reason) != std::string::npos, "%s",
                alone.error().message.c_str());
    }
    const auto with_good = JwtKeys::of({key, good});
    cr_expect(with_good.ok() && with_good.value().verify(token).ok(), "%s", reason.c_str());
  }
}

Test(crypto_jwt, an_ec_key_has_to_be_a_point_on_its_curve) {
  const Json key = ForeignKey::elliptic("P-256").public_key();
  const auto with = [&](const char* curve, const Json& x, const Json& y) {
    return JwtKeys::of(
        {Json::object({{"kty", text("EC")}, {"crv", text(curve)}, {"x", x}, {"y", y}})});
  };
  const std::string short_y = from_base64url(key["y"].as_string()).value().substr(1);

  cr_expect(with("P-256", key["x"], key["y"]).ok());
  cr_expect(!with("P-256", key["y"], key["x"]).ok());
  cr_expect(!with("P-256", key["x"], key["x"]).ok());
  cr_expect(!with("P-384", key["x"], key["y"]).ok());
  cr_expect(!with("P-256", key["x"], Json::string(to_base64url(short_y))).ok());
  cr_expect(!with("P-256", key["x"], Json()).ok());
}

Test(crypto_jwt, a_key_set_that_is_none_is_refused_with_a_reason) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "key set: not valid JSON at byte 0"},
      {"<html>", "key set: not valid JSON at byte 0"},
      {"[]", "key set: not an object with a list of \"keys\""},
      {"{}", "key set: not an object with a list of \"keys\""},
      {"{\"keys\":{}}", "key set: not an object with a list of \"keys\""},
      {"{\"keys\":[]}", "key set: no key for signatures in it: it is empty"},
      {"{\"keys\":[null]}", "key set: no key for signatures in it: not an object"},
      {std::string(2'000'000, ' '), "key set: longer than 1 MB"},
  };
  for (const auto& [key_set, message] : cases) {
    const auto keys = JwtKeys::parse(key_set);
    cr_assert(!keys.ok(), "%s", message.c_str());
    cr_expect(keys.error().message == message, "%s", keys.error().message.c_str());
  }
  const Json key = ForeignKey::elliptic("P-256").public_key();
  cr_expect(!JwtKeys::of(std::vector<Json>(101, key)).ok());
}

Test(crypto_jwt, a_token_says_who_issued_it_before_it_is_verified) {
  const auto jwt = read_unverified(kRsaToken);
  cr_assert(jwt.ok());
  cr_expect(jwt.value().claims["iss"].as_string() == "joe");
  cr_expect(jwt.value().header["alg"].as_string() == "RS256");
}
