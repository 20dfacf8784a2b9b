// Lines: a key or a set of keys, a signature in base64url, what it is said to have signed. A key
// verifies by no algorithm but those that fit it, and says the same twice.
#include "controller/base/check.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/jwk.h"
#include "controller/crypto/jwt.h"
#include "tests/fuzz/targets.h"

namespace rowlock {

void fuzz_jwk(std::string_view bytes) {
  const auto [key_text, rest] = first_line(bytes);
  const auto [signature_text, signed_text] = first_line(rest);
  const auto keys = JwtKeys::parse(key_text);
  if (keys.ok()) (void)keys.value().verify(signed_text);

  const auto json = Json::parse(key_text);
  const auto signature = from_base64url(signature_text);
  if (!json.ok() || !signature.ok()) return;
  const auto key = Jwk::parse(json.value());
  if (!key.ok()) return;
  for (const char* name : {"RS256", "PS256", "ES256", "ES384", "EdDSA"}) {
    const JwsAlgorithm algorithm = jws_algorithm(name).value();
    const bool passes = key.value().verifies(algorithm, signed_text, signature.value());
    CHECK(!passes || key.value().fits(algorithm));
    CHECK(key.value().verifies(algorithm, signed_text, signature.value()) == passes);
  }
}

}  // namespace rowlock
