// A token is three parts in base64url with dots between them: a header that names algorithm and
// key, the claims, and the signature over the first two as they stand (RFC 7515 section 3.1).
//
// The one thing to get right: what the token says of itself is the attacker's to choose. So the key
// decides which algorithms are possible and the token only which one of them was used.
#include "controller/crypto/jwt.h"

#include "controller/base/check.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/jwk.h"
#include "controller/crypto/sodium.h"

namespace rowlock {

struct JwtKeys::Key {
  Jwk jwk;
};

namespace {

constexpr std::size_t kTokenBytesMax = 16 * 1024;
constexpr std::size_t kKeySetBytesMax = 1024 * 1024;
constexpr std::size_t kKeysMax = 100;
constexpr std::size_t kNameShownMax = 20;

struct Parts {
  Jwt jwt;
  std::string_view signed_text;  // Header and claims as they stand in the token.
  std::string signature;
};

Error refused(const std::string& why) {
  return Error{Fault::rejected, Cause::other, "token: " + why, ""};
}

Error unusable_set(const std::string& why) {
  return Error{Fault::rejected, Cause::other, "key set: " + why, ""};
}

Result<Json> object_of(std::string_view part, const std::string& name) {
  const auto text = from_base64url(part);
  if (!text.ok()) return refused("its " + name + " is not base64url");
  const auto json = Json::parse(text.value());
  if (!json.ok() || !json.value().is_object()) return refused("its " + name + " is no JSON object");
  return json;
}

Result<Parts> parts_of(std::string_view token) {
  if (token.size() > kTokenBytesMax) return refused("longer than 16 KB");
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return refused("not three parts with dots between them");
  }
  const auto header = TRY(object_of(token.substr(0, first), "header"));
  const auto claims = TRY(object_of(token.substr(first + 1, second - first - 1), "payload"));
  auto signature = from_base64url(token.substr(second + 1));
  if (!signature.ok()) return refused("its signature is not base64url");
  return Parts{{header, claims}, token.substr(0, second), std::move(signature).value()};
}

// The header chose the name: as JSON, so that nothing in it can harm a terminal or a log.
std::string shown(const Json& name) {
  const std::string text = name.text();
  return text.size() <= kNameShownMax ? " " + text : "";
}

Result<JwsAlgorithm> accepted_algorithm(const Json& header) {
  const auto algorithm = jws_algorithm(header["alg"].as_string());
  if (!algorithm) return refused("the algorithm" + shown(header["alg"]) + " is not accepted");
  // It lists extensions without which the token means something else, and we know none.
  for (const auto& [name, value] : header.members()) {
    if (name == "crit") return refused("its header says crit: an extension that is not known");
  }
  if (!header["kid"].is_null() && !header["kid"].is_string()) {
    return refused("its kid is not a string");
  }
  return *algorithm;
}

Json public_members(const std::string& point) {
  return Json::object({{"crv", Json::string("Ed25519")},
                       {"kty", Json::string("OKP")},
                       {"x", Json::string(to_base64url(point))}});
}

}  // namespace

JwtSigner::JwtSigner(const SecretBytes& seed)
    : secret_(std::size_t{crypto_sign_SECRETKEYBYTES}), public_(crypto_sign_PUBLICKEYBYTES, '\0') {
  CHECK(seed.size() == crypto_sign_SEEDBYTES);
  crypto_sign_seed_keypair(bytes_of(public_), secret_.data(), seed.data());
}

std::string JwtSigner::sign(const Json& claims) const {
  const Json header = Json::object({{"alg", Json::string("EdDSA")},
                                    {"kid", Json::string(key_id())},
                                    {"typ", Json::string("JWT")}});
  const std::string text = to_base64url(header.text()) + "." + to_base64url(claims.text());
  std::string signature(crypto_sign_BYTES, '\0');
  crypto_sign_detached(bytes_of(signature), nullptr, bytes_of(text), text.size(), secret_.data());
  return text + "." + to_base64url(signature);
}

// The hash of the members that make the key, sorted and without spaces, which is how Json prints.
std::string JwtSigner::key_id() const {
  return to_base64url(sha256(public_members(public_).text()));
}

Json JwtSigner::public_key() const {
  auto members = public_members(public_).members();
  members.emplace_back("alg", Json::string("EdDSA"));
  members.emplace_back("kid", Json::string(key_id()));
  members.emplace_back("use", Json::string("sig"));
  return Json::object(std::move(members));
}

Result<JwtKeys> JwtKeys::parse(std::string_view key_set) {
  if (key_set.size() > kKeySetBytesMax) return unusable_set("longer than 1 MB");
  const auto json = Json::parse(key_set);
  if (!json.ok()) return unusable_set(json.error().message);
  const Json keys = json.value()["keys"];
  if (!keys.is_array()) return unusable_set("not an object with a list of \"keys\"");
  return of(keys.items());
}

// A key that cannot be used is passed over, as RFC 7517 section 5 advises: an issuer that adds one
// of a new kind would otherwise lock everybody out.
Result<JwtKeys> JwtKeys::of(const std::vector<Json>& keys) {
  if (keys.size() > kKeysMax) {
    return unusable_set("more than " + std::to_string(kKeysMax) + " keys");
  }
  JwtKeys usable;
  std::string last_fault = "it is empty";
  for (const Json& key : keys) {
    auto jwk = Jwk::parse(key);
    if (jwk.ok()) {
      usable.keys_.push_back(std::make_shared<const Key>(Key{std::move(jwk).value()}));
    } else {
      last_fault = jwk.error().message;
    }
  }
  if (usable.keys_.empty()) return unusable_set("no key for signatures in it: " + last_fault);
  return usable;
}

Result<Jwt> JwtKeys::verify(std::string_view token) const {
  const auto read = TRY(parts_of(token));
  const Parts& parts = read;
  const Json& header = parts.jwt.header;
  const auto algorithm = TRY(accepted_algorithm(header));
  const Json id = header["kid"];
  bool is_key_known = false;
  bool is_algorithm_possible = false;
  // Several keys may have the same id; then each is tried.
  for (const std::shared_ptr<const Key>& key : keys_) {
    if (id.is_string() && key->jwk.id() != id.as_string()) continue;
    is_key_known = true;
    if (!key->jwk.fits(algorithm)) continue;
    is_algorithm_possible = true;
    if (key->jwk.verifies(algorithm, parts.signed_text, parts.signature)) return parts.jwt;
  }
  if (!is_key_known) return refused("none of the issuer's keys has its kid");
  if (!is_algorithm_possible) {
    return refused("the algorithm" + shown(header["alg"]) + " does not fit the key");
  }
  return refused("its signature is wrong");
}

Result<Jwt> read_unverified(std::string_view token) {
  auto parts = TRY(parts_of(token));
  return std::move(parts).jwt;
}

}  // namespace rowlock
