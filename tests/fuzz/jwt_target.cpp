// A token that passes is, to the last character, one that the key's owner signed.
#include "controller/base/check.h"
#include "controller/crypto/jwt.h"
#include "tests/fuzz/targets.h"

namespace rowlock {

void fuzz_jwt(std::string_view bytes) {
  static const JwtSigner signer{SecretBytes(std::string(32, 'k'))};
  static const JwtKeys keys = JwtKeys::of({signer.public_key()}).value();
  const auto unverified = read_unverified(bytes);
  const auto verified = keys.verify(bytes);
  if (!verified.ok()) return;
  CHECK(unverified.ok());
  CHECK(unverified.value().claims.text() == verified.value().claims.text());
  CHECK(signer.sign(verified.value().claims) == bytes);
}

}  // namespace rowlock
