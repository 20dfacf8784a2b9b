// The names of the algorithms, and what a key must say of itself to be taken. The mathematics of
// RSA and EC is in openssl_key.cpp.
#include "controller/crypto/jwk.h"

#include "controller/base/check.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/openssl_key.h"
#include "controller/crypto/sodium.h"

#include <algorithm>
#include <array>
#include <utility>

namespace rowlock {
namespace {

constexpr std::array<std::pair<std::string_view, JwsAlgorithm>, 9> kAlgorithms = {{
    {"RS256", JwsAlgorithm::rs256},
    {"RS384", JwsAlgorithm::rs384},
    {"RS512", JwsAlgorithm::rs512},
    {"PS256", JwsAlgorithm::ps256},
    {"PS384", JwsAlgorithm::ps384},
    {"PS512", JwsAlgorithm::ps512},
    {"ES256", JwsAlgorithm::es256},
    {"ES384", JwsAlgorithm::es384},
    {"EdDSA", JwsAlgorithm::eddsa},
}};

Error unusable(const std::string& why) { return Error{Fault::rejected, Cause::other, why, ""}; }

// For signatures, as far as it says.
bool is_for_signatures(const Json& key) {
  const Json use = key["use"];
  if (!use.is_null() && use.as_string() != "sig") return false;
  const Json operations = key["key_ops"];
  if (operations.is_null()) return true;
  const std::vector<Json> listed = operations.items();
  return std::any_of(listed.begin(), listed.end(),
                     [](const Json& one) { return one.as_string() == "verify"; });
}

}  // namespace

std::optional<JwsAlgorithm> jws_algorithm(std::string_view name) {
  for (const auto& [known, algorithm] : kAlgorithms) {
    if (known == name) return algorithm;
  }
  return std::nullopt;
}

Result<Jwk> Jwk::parse(const Json& key) {
  if (!key.is_object()) return unusable("not an object");
  if (!is_for_signatures(key)) return unusable("not for signatures");
  const std::string type = key["kty"].as_string();
  Result<Jwk> made = type == "RSA"   ? rsa(key)
                     : type == "EC"  ? elliptic(key)
                     : type == "OKP" ? edwards(key)
                                     : unusable("neither RSA, EC nor OKP");
  if (!made.ok()) return made;
  Jwk jwk = std::move(made).value();
  const Json id = key["kid"];
  if (!id.is_null() && !id.is_string()) return unusable("its kid is not a string");
  if (id.is_string()) jwk.id_ = id.as_string();
  const Json algorithm = key["alg"];
  if (algorithm.is_null()) return jwk;
  const auto named = jws_algorithm(algorithm.as_string());
  if (!named || !jwk.fits(*named)) return unusable("its alg is not one that is accepted for it");
  jwk.algorithm_ = named;
  return jwk;
}

Result<Jwk> Jwk::rsa(const Json& key) {
  const auto modulus = from_base64url(key["n"].as_string());
  const auto exponent = from_base64url(key["e"].as_string());
  if (!modulus.ok() || !exponent.ok()) return unusable("n or e of the RSA key is not base64url");
  auto opened = TRY(OpensslKey::rsa(modulus.value(), exponent.value()));
  Jwk jwk;
  jwk.type_ = Type::rsa;
  jwk.opened_ = std::make_shared<const OpensslKey>(std::move(opened));
  return jwk;
}

Result<Jwk> Jwk::elliptic(const Json& key) {
  const std::string curve = key["crv"].as_string();
  if (curve != "P-256" && curve != "P-384") return unusable("a curve other than P-256 and P-384");
  const auto x = from_base64url(key["x"].as_string());
  const auto y = from_base64url(key["y"].as_string());
  if (!x.ok() || !y.ok()) return unusable("x or y of the EC key is not base64url");
  Jwk jwk;
  jwk.type_ = curve == "P-256" ? Type::p256 : Type::p384;
  auto opened = TRY(OpensslKey::elliptic(
      jwk.type_ == Type::p256 ? EllipticCurve::p256 : EllipticCurve::p384, x.value(), y.value()));
  jwk.opened_ = std::make_shared<const OpensslKey>(std::move(opened));
  return jwk;
}

Result<Jwk> Jwk::edwards(const Json& key) {
  if (key["crv"].as_string() != "Ed25519") return unusable("a curve other than Ed25519");
  const auto point = from_base64url(key["x"].as_string());
  if (!point.ok() || point.value().size() != crypto_sign_PUBLICKEYBYTES) {
    return unusable("x of the Ed25519 key is not 32 bytes in base64url");
  }
  Jwk jwk;
  jwk.type_ = Type::ed25519;
  jwk.point_ = point.value();
  return jwk;
}

bool Jwk::fits(JwsAlgorithm algorithm) const {
  if (algorithm_ && *algorithm_ != algorithm) return false;
  switch (algorithm) {
    case JwsAlgorithm::rs256:
    case JwsAlgorithm::rs384:
    case JwsAlgorithm::rs512:
    case JwsAlgorithm::ps256:
    case JwsAlgorithm::ps384:
    case JwsAlgorithm::ps512: return type_ == Type::rsa;
    case JwsAlgorithm::es256: return type_ == Type::p256;
    case JwsAlgorithm::es384: return type_ == Type::p384;
    case JwsAlgorithm::eddsa: return type_ == Type::ed25519;
  }
  UNREACHABLE();
}

bool Jwk::verifies(JwsAlgorithm algorithm, std::string_view text,
                   std::string_view signature) const {
  if (!fits(algorithm)) return false;
  switch (algorithm) {
    case JwsAlgorithm::rs256: return opened_->verifies_pkcs1(Digest::sha256, text, signature);
    case JwsAlgorithm::rs384: return opened_->verifies_pkcs1(Digest::sha384, text, signature);
    case JwsAlgorithm::rs512: return opened_->verifies_pkcs1(Digest::sha512, text, signature);
    case JwsAlgorithm::ps256: return opened_->verifies_pss(Digest::sha256, text, signature);
    case JwsAlgorithm::ps384: return opened_->verifies_pss(Digest::sha384, text, signature);
    case JwsAlgorithm::ps512: return opened_->verifies_pss(Digest::sha512, text, signature);
    case JwsAlgorithm::es256: return opened_->verifies_ecdsa(Digest::sha256, text, signature);
    case JwsAlgorithm::es384: return opened_->verifies_ecdsa(Digest::sha384, text, signature);
    case JwsAlgorithm::eddsa: break;
  }
  return signature.size() == crypto_sign_BYTES &&
         crypto_sign_verify_detached(bytes_of(signature), bytes_of(text), text.size(),
                                     bytes_of(point_)) == 0;
}

}  // namespace rowlock
