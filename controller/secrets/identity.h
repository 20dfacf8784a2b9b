// The identities of instances: JSON web tokens signed with the identity key of the keyring, and the
// documents by which others find the keys to verify them (OpenID Connect Discovery 1.0).
#pragma once

#include "controller/base/json.h"
#include "controller/base/result.h"
#include "controller/crypto/jwt.h"
#include "controller/secrets/keyring.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace rowlock {

struct SignedIdentity {
  std::string jwt;
  std::int64_t expires_at_ms = 0;
};

class Identities {
 public:
  // Under the issuer's URL.
  static constexpr std::string_view kKeysPath = "/.well-known/jwks.json";

  Identities(Database& state, const Schema& schema, const Keyring& keyring)
      : state_(state), schema_(schema), keyring_(keyring) {}

  // Of those that need keys: closed_error() while they are sealed or not made.

  // For an instance that is kept (run = 1), else Cause::not_found. Times in a token are whole
  // seconds: it expires up to a second before `identity_ttl_ms` has passed.
  Result<SignedIdentity> sign(std::int64_t instance, std::int64_t now_ms);

  // The token, if one of our keys signed it. Its claims are the caller's business.
  Result<Jwt> verify(std::string_view token) const;

  Result<Json> key_set() const;  // {"keys":[…]}: the public keys, the newest first.
  Result<Json> discovery();

 private:
  std::vector<Json> public_keys() const;
  const std::string& script(std::string_view name) const;

  Database& state_;
  const Schema& schema_;
  const Keyring& keyring_;
};

}  // namespace rowlock
