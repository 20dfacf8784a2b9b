// JSON web tokens: signed here by Ed25519 (RFC 7519, RFC 8037), and those of others verified
// against a set of their public keys (RFC 7517). What is checked of the claims is the caller's
// business.
#pragma once

#include "controller/base/json.h"
#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct Jwt {
  Json header;
  Json claims;
};

class JwtSigner {
 public:
  // Requires: 32 bytes of seed.
  explicit JwtSigner(const SecretBytes& seed);

  // The claims, signed: header {"alg":"EdDSA","kid":…,"typ":"JWT"}.
  std::string sign(const Json& claims) const;
  std::string key_id() const;  // The key's thumbprint (RFC 7638), base64url.
  Json public_key() const;     // As a JWK, with kid, alg and use.

 private:
  SecretBytes secret_;  // As libsodium keeps it: seed and public key.
  std::string public_;
};

// Public keys of one issuer.
class JwtKeys {
 public:
  // From {"keys":[…]}: RSA, EC P-256 and P-384, OKP Ed25519; a key of another kind, or for
  // encryption, is passed over. Rejected when none is left.
  static Result<JwtKeys> parse(std::string_view key_set);
  static Result<JwtKeys> of(const std::vector<Json>& keys);

  // The token, if one of the keys signed it: the one its `kid` names, or any when it names none.
  // The algorithm must be one of RS256/384/512, PS256/384/512, ES256, ES384 and EdDSA and fit the
  // key, and the one the key names if it does: never `none`, never a public key taken for an
  // HMAC's. Rejected otherwise, with a reason.
  Result<Jwt> verify(std::string_view token) const;

 private:
  struct Key;
  std::vector<std::shared_ptr<const Key>> keys_;
};

// What it says, unverified: only to find out whose keys to ask. At most 16 KB.
Result<Jwt> read_unverified(std::string_view token);

}  // namespace rowlock
