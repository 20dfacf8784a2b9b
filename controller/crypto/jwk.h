// One public key of another's (JSON Web Key, RFC 7517) and the signatures it can verify. RSA and EC
// by OpenSSL, Ed25519 by libsodium.
#pragma once

#include "controller/base/json.h"
#include "controller/base/result.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rowlock {

class OpensslKey;

// The algorithms that are accepted (RFC 7518 section 3.1, RFC 8037 section 3.1): all of them take a
// public key, so that none can be mistaken for a secret.
enum class JwsAlgorithm { rs256, rs384, rs512, ps256, ps384, ps512, es256, es384, eddsa };

// Nothing for `none`, HS256 and all the rest.
std::optional<JwsAlgorithm> jws_algorithm(std::string_view name);

class Jwk {
 public:
  // Rejected, with a reason, when it is of a kind that is not understood, for another purpose than
  // signatures, too weak, or malformed.
  static Result<Jwk> parse(const Json& key);

  // Its `kid`, if it has one.
  const std::optional<std::string>& id() const { return id_; }

  // The algorithm is one for this type of key, and the one that the key names if it names one.
  bool fits(JwsAlgorithm algorithm) const;

  // `signature` is as it stands in the token, decoded: for EC that is r and s, each as long as the
  // curve. False when the algorithm does not fit.
  bool verifies(JwsAlgorithm algorithm, std::string_view text, std::string_view signature) const;

 private:
  enum class Type { rsa, p256, p384, ed25519 };

  Jwk() = default;
  static Result<Jwk> rsa(const Json& key);
  static Result<Jwk> elliptic(const Json& key);
  static Result<Jwk> edwards(const Json& key);

  Type type_ = Type::rsa;
  std::optional<std::string> id_;
  std::optional<JwsAlgorithm> algorithm_;
  std::string point_;                         // Of Ed25519.
  std::shared_ptr<const OpensslKey> opened_;  // Of all others.
};

}  // namespace rowlock
