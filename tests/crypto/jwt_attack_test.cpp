// Tokens that some libraries have taken: without a signature, with the public key as the secret of
// an HMAC, with another algorithm than the key's, or altered in a way that decodes the same.
#include "controller/crypto/encoding.h"
#include "controller/crypto/jwt.h"
#include "tests/crypto/foreign_key.h"

#include <criterion/criterion.h>
#include <sodium.h>

using namespace rowlock;

namespace {

std::string message_of(const JwtKeys& keys, const std::string& token) {
  const auto jwt = keys.verify(token);
  return jwt.ok() ? "accepted" : jwt.error().message;
}

void expect_refused(const JwtKeys& keys, const std::string& token, const std::string& reason) {
  const std::string message = message_of(keys, token);
  cr_expect(message.find(reason) != std::string::npos && message != "accepted", "%s: %s",
            message.c_str(), token.substr(0, 200).c_str());
}

std::string hmac(const std::string& key, const std::string& text) {
  crypto_auth_hmacsha256_state state;
  std::string hash(crypto_auth_hmacsha256_BYTES, '\0');
  crypto_auth_hmacsha256_init(&state, reinterpret_cast<const unsigned char*>(key.data()),
                              key.size());
  crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(text.data()),
                                text.size());
  crypto_auth_hmacsha256_final(&state, reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

}  // namespace

Test(crypto_jwt_attack, a_token_without_a_signature_is_refused) {
  const JwtSigner signer(SecretBytes::random(32));
  const JwtKeys keys = JwtKeys::of({signer.public_key()}).value();
  for (const char* name : {"none", "None", "NONE", "nOnE", ""}) {
    const std::string text = unsigned_token(R"({"alg":")" + std::string(name) + "\"}", "{}");
    expect_refused(keys, text + ".", "is not accepted");
    expect_refused(keys, text + ".AAAA", "is not accepted");
  }
  for (const char* header : {"{}", R"({"alg":null})", R"({"alg":["EdDSA"]})", R"({"alg":1})"}) {
    expect_refused(keys, unsigned_token(header, "{}") + ".", "is not accepted");
  }
  expect_refused(keys, unsigned_token(R"({"alg":"EdDSA"})", "{}") + ".", "signature is wrong");
  expect_refused(keys, unsigned_token(R"({"alg":"EdDSA"})", "{}"), "not three parts");
}

Test(crypto_jwt_attack, a_public_key_is_not_taken_for_the_secret_of_an_hmac) {
  const ForeignKey rsa = ForeignKey::rsa();
  const JwtSigner signer(SecretBytes::random(32));
  for (const Json& key : {rsa.public_key(), signer.public_key()}) {
    const JwtKeys keys = JwtKeys::of({key}).value();
    const std::string text = unsigned_token(R"({"alg":"HS256"})", R"({"sub":"root"})");
    for (const std::string& secret :
         {key.text(), key["n"].as_string(), key["x"].as_string(),
          from_base64url(key["n"].as_string()).value(),
          from_base64url(key["x"].as_string()).value(), std::string()}) {
      expect_refused(keys, text + "." + to_base64url(hmac(secret, text)), "\"HS256\" is not");
    }
  }
}

Test(crypto_jwt_attack, a_key_verifies_its_own_algorithms_alone) {
  const ForeignKey rsa = ForeignKey::rsa();
  const ForeignKey p256 = ForeignKey::elliptic("P-256");
  const ForeignKey p384 = ForeignKey::elliptic("P-384");
  const JwtKeys rsa_keys = JwtKeys::of({rsa.public_key()}).value();
  const JwtKeys p256_keys = JwtKeys::of({p256.public_key()}).value();
  const JwtKeys p384_keys = JwtKeys::of({p384.public_key()}).value();

  expect_refused(rsa_keys, rsa.token(R"({"alg":"ES256"})", "{}"), "does not fit");
  expect_refused(rsa_keys, rsa.token(R"({"alg":"HS256"})", "{}"), "is not accepted");
  expect_refused(p256_keys, p256.token(R"({"alg":"ES384"})", "{}"), "does not fit");
  expect_refused(p384_keys, p384.token(R"({"alg":"ES256"})", "{}"), "does not fit");
  expect_refused(p256_keys, p256.token(R"({"alg":"RS256"})", "{}"), "does not fit");
  expect_refused(p256_keys, p384.token(R"({"alg":"ES256"})", "{}"), "signature is wrong");
  const std::string header = R"({"alg":"EdDSA"})";
  expect_refused(p256_keys, unsigned_token(header, "{}") + ".AAAA", "does not fit");
}

Test(crypto_jwt_attack, a_key_that_names_its_algorithm_verifies_no_other) {
  const ForeignKey rsa = ForeignKey::rsa();
  const JwtKeys keys = JwtKeys::of({rsa.public_key({{"alg", Json::string("RS512")}})}).value();

  cr_expect(keys.verify(rsa.token(R"({"alg":"RS512"})", "{}")).ok());
  expect_refused(keys, rsa.token(R"({"alg":"RS256"})", "{}"), "does not fit");
  expect_refused(keys, rsa.token(R"({"alg":"PS512"})", "{}"), "does not fit");
}

Test(crypto_jwt_attack, one_padding_is_not_taken_for_the_other) {
  const ForeignKey rsa = ForeignKey::rsa();
  const JwtKeys keys = JwtKeys::of({rsa.public_key()}).value();
  const std::string text = unsigned_token(R"({"alg":"PS256"})", "{}");

  expect_refused(keys, text + "." + to_base64url(rsa.signature("RS256", text)), "is wrong");
  expect_refused(keys, text + "." + to_base64url(rsa.signature("PS384", text)), "is wrong");
  const std::string plain = unsigned_token(R"({"alg":"RS256"})", "{}");
  expect_refused(keys, plain + "." + to_base64url(rsa.signature("PS256", plain)), "is wrong");
}

Test(crypto_jwt_attack, an_altered_token_is_refused) {
  const JwtSigner signer(SecretBytes::random(32));
  const ForeignKey p256 = ForeignKey::elliptic("P-256");
  const JwtKeys keys = JwtKeys::of({signer.public_key(), p256.public_key()}).value();
  const std::string ours = signer.sign(Json::object({{"sub", Json::string("ci")}}));
  const std::string theirs = p256.token(R"({"alg":"ES256"})", R"({"sub":"ci"})");
  for (const std::string& token : {ours, theirs}) {
    cr_assert(keys.verify(token).ok());
    for (std::size_t at = 0; at < token.size(); ++at) {
      for (const char c : {'A', 'Q', '-', '_', '.', '=', ' ', '+', '\n'}) {
        std::string altered = token;
        altered[at] = c;
        if (altered != token) cr_expect(!keys.verify(altered).ok(), "%s", altered.c_str());
      }
      for (int bit = 0; bit < 8; ++bit) {
        std::string altered = token;
        altered[at] = static_cast<char>(altered[at] ^ (1 << bit));
        cr_expect(!keys.verify(altered).ok(), "bit %d of %zu in %s", bit, at, token.c_str());
      }
      cr_expect(!keys.verify(token.substr(0, at)).ok(), "cut off after %zu", at);
    }
  }
}

Test(crypto_jwt_attack, a_signature_of_another_text_or_key_is_refused) {
  const ForeignKey p256 = ForeignKey::elliptic("P-256");
  const ForeignKey other = ForeignKey::elliptic("P-256");
  const JwtKeys keys = JwtKeys::of({p256.public_key()}).value();
  const std::string header = R"({"alg":"ES256"})";
  const std::string token = p256.token(header, R"({"sub":"ci"})");
  const std::string signature = token.substr(token.rfind('.'));

  expect_refused(keys, unsigned_token(header, R"({"sub":"root"})") + signature, "is wrong");
  expect_refused(keys, other.token(header, R"({"sub":"ci"})"), "is wrong");
}

// libsodium's own decoder takes every byte past ASCII for the last digit of the alphabet.
Test(crypto_jwt_attack, a_byte_past_ascii_is_no_digit_of_a_signature) {
  const JwtSigner signer(SecretBytes::random(32));
  const JwtKeys keys = JwtKeys::of({signer.public_key()}).value();
  std::string token;
  for (int i = 0; token.empty() || token.find('_', token.rfind('.')) == std::string::npos; ++i) {
    token = signer.sign(Json::object({{"n", Json::integer(i)}}));
  }
  const std::size_t at = token.find('_', token.rfind('.'));

  for (int c = 0x80; c < 0x100; ++c) {
    std::string altered = token;
    altered[at] = static_cast<char>(c);
    expect_refused(keys, altered, "not base64url");
  }
}

// The same signature in other writings: libraries that take several let one token pass for two.
Test(crypto_jwt_attack, text_that_merely_decodes_the_same_is_refused) {
  const JwtSigner signer(SecretBytes::random(32));
  const JwtKeys keys = JwtKeys::of({signer.public_key()}).value();
  const std::string token = signer.sign(Json::object({}));
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

  expect_refused(keys, token + "==", "not base64url");
  expect_refused(keys, token + "\n", "not base64url");
  expect_refused(keys, " " + token, "not base64url");
  std::string spare_bits = token;  // 64 bytes: the last digit has four spare bits.
  spare_bits.back() = kDigits[kDigits.find(token.back()) + 1];
  expect_refused(keys, spare_bits, "not base64url");
  expect_refused(keys, token + ".", "not three parts");
  expect_refused(keys, token + ".AAAA", "not three parts");
}

Test(crypto_jwt_attack, an_asn1_signature_is_no_signature_of_es256) {
  const ForeignKey p256 = ForeignKey::elliptic("P-256");
  const JwtKeys keys = JwtKeys::of({p256.public_key()}).value();
  const std::string text = unsigned_token(R"({"alg":"ES256"})", "{}");
  const std::string raw = p256.signature("ES256", text);
  const std::string zeros(32, '\0');

  cr_expect(keys.verify(text + "." + to_base64url(raw)).ok());
  expect_refused(
      keys,
      text + "." +
          to_base64url("\x30\x44\x02\x20" + raw.substr(0, 32) + "\x02\x20" + raw.substr(32)),
      "is wrong");
  expect_refused(keys, text + "." + to_base64url(zeros + zeros), "is wrong");
  expect_refused(keys, text + "." + to_base64url(raw + std::string(1, '\0')), "is wrong");
  expect_refused(keys, text + "." + to_base64url(std::string(1, '\0') + raw), "is wrong");
}

Test(crypto_jwt_attack, an_odd_header_is_refused) {
  const ForeignKey key = ForeignKey::elliptic("P-256");
  const JwtKeys keys = JwtKeys::of({key.public_key()}).value();

  expect_refused(keys, key.token(R"({"alg":"ES256","crit":["exp"],"exp":1})", "{}"), "crit");
  expect_refused(keys, key.token(R"({"alg":"ES256","crit":[]})", "{}"), "crit");
  expect_refused(keys, key.token(R"({"alg":"ES256","crit":null})", "{}"), "crit");
  expect_refused(keys, key.token(R"({"alg":"ES256","kid":1})", "{}"), "its kid");
  const std::string both = unsigned_token(R"({"alg":"none","alg":"ES256"})", "{}");
  expect_refused(keys, both + "." + to_base64url(key.signature("ES256", both)), "no JSON object");
  expect_refused(keys, key.token(R"({"alg":"ES256"})", "[]"), "payload is no JSON object");
  expect_refused(keys, key.token(R"({"alg":"ES256"})", "{} {}"), "payload is no JSON object");
  expect_refused(keys, key.token(R"({"alg":"ES256"})", R"({"sub":"a","sub":"b"})"), "payload");
  expect_refused(keys, key.token(R"({"alg":"ES256"})", "{\"sub\":\"\xff\"}"), "payload");
}

Test(crypto_jwt_attack, a_key_in_the_header_is_not_believed) {
  const JwtSigner signer(SecretBytes::random(32));
  const ForeignKey own = ForeignKey::elliptic("P-256");
  const JwtKeys keys = JwtKeys::of({signer.public_key()}).value();
  const std::string header = R"({"alg":"ES256","jwk":)" + own.public_key().text() + "}";

  expect_refused(keys, own.token(header, "{}"), "does not fit");
}

Test(crypto_jwt_attack, a_token_that_is_none_is_refused) {
  const JwtSigner signer(SecretBytes::random(32));
  const JwtKeys keys = JwtKeys::of({signer.public_key()}).value();
  for (const char* token : {"", ".", "..", "...", "a.b.c", "e30.e30.", "e30..e30", ".e30.e30"}) {
    cr_expect(!keys.verify(token).ok(), "%s", token);
    cr_expect(std::string(token) == "e30.e30." || !read_unverified(token).ok(), "%s", token);
  }
  const std::string big(12'100, 'x');  // In base64url with the rest: just under 16 KB.
  cr_expect(keys.verify(signer.sign(Json::object({{"sub", Json::string(big)}}))).ok());
  const std::string too_big(12'300, 'x');
  const std::string token = signer.sign(Json::object({{"sub", Json::string(too_big)}}));
  expect_refused(keys, token, "longer than 16 KB");
  cr_expect(!read_unverified(token).ok());
}

Test(crypto_jwt_attack, a_refusal_repeats_no_long_text_and_no_control_character) {
  const JwtSigner signer(SecretBytes::random(32));
  const JwtKeys keys = JwtKeys::of({signer.public_key()}).value();
  const std::string long_name(1000, 'x');

  cr_expect(message_of(keys, unsigned_token(R"({"alg":")" + long_name + "\"}", "{}") + ".") ==
            "token: the algorithm is not accepted");
  cr_expect(message_of(keys, unsigned_token(R"({"alg":"\u001b[2J"})", "{}") + ".") ==
            R"(token: the algorithm "\u001b[2J" is not accepted)");
}
