// Signing by OpenSSL. Nothing may fail here: a test that cannot sign stops.
#include "tests/crypto/foreign_key.h"

#include "controller/base/check.h"
#include "controller/crypto/encoding.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

namespace rowlock {
namespace {

EVP_PKEY* pkey(const std::shared_ptr<void>& key) { return static_cast<EVP_PKEY*>(key.get()); }

// Big-endian; of that length, or as short as can be when it is 0.
std::string bytes_of_number(const BIGNUM* number, std::size_t size) {
  if (size == 0) size = static_cast<std::size_t>(BN_num_bytes(number));
  std::string bytes(size, '\0');
  CHECK(BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()),
                     static_cast<int>(size)) == static_cast<int>(size));
  return bytes;
}

Json number_of(EVP_PKEY* key, const char* name, std::size_t size) {
  BIGNUM* number = nullptr;
  CHECK(EVP_PKEY_get_bn_param(key, name, &number) == 1);
  const std::string bytes = bytes_of_number(number, size);
  BN_free(number);
  return Json::string(to_base64url(bytes));
}

std::size_t coordinate_bytes(const std::string& curve) {
  return curve == "P-256" ? 32 : curve == "P-384" ? 48 : 66;
}

}  // namespace

ForeignKey::ForeignKey(void* key)
    : key_(key, [](void* owned) { EVP_PKEY_free(static_cast<EVP_PKEY*>(owned)); }) {
  CHECK(key != nullptr);
}

ForeignKey ForeignKey::rsa(unsigned int bits) { return ForeignKey(EVP_RSA_gen(bits)); }

ForeignKey ForeignKey::elliptic(const std::string& curve) {
  ForeignKey made(EVP_EC_gen(curve.c_str()));
  made.curve_ = curve;
  return made;
}

Json ForeignKey::public_key(std::vector<std::pair<std::string, Json>> members) const {
  if (curve_.empty()) {
    members.emplace_back("kty", Json::string("RSA"));
    members.emplace_back("n", number_of(pkey(key_), OSSL_PKEY_PARAM_RSA_N, 0));
    members.emplace_back("e", number_of(pkey(key_), OSSL_PKEY_PARAM_RSA_E, 0));
  } else {
    const std::size_t size = coordinate_bytes(curve_);
    members.emplace_back("kty", Json::string("EC"));
    members.emplace_back("crv", Json::string(curve_));
    members.emplace_back("x", number_of(pkey(key_), OSSL_PKEY_PARAM_EC_PUB_X, size));
    members.emplace_back("y", number_of(pkey(key_), OSSL_PKEY_PARAM_EC_PUB_Y, size));
  }
  return Json::object(std::move(members));
}

std::string ForeignKey::asn1_signature(std::string_view algorithm, std::string_view text) const {
  const std::string digits(algorithm.substr(algorithm.size() - 3));
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* options = nullptr;
  CHECK(EVP_DigestSignInit(context, &options, EVP_get_digestbyname(("SHA" + digits).c_str()),
                           nullptr, pkey(key_)) == 1);
  if (algorithm.substr(0, 2) == "PS") {
    CHECK(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1);
    CHECK(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1);
  }
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  CHECK(EVP_DigestSign(context, nullptr, &size, bytes, text.size()) == 1);
  std::string made(size, '\0');
  CHECK(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(made.data()), &size, bytes,
                       text.size()) == 1);
  made.resize(size);
  EVP_MD_CTX_free(context);
  return made;
}

std::string ForeignKey::signature(std::string_view algorithm, std::string_view text) const {
  const std::string made = asn1_signature(algorithm, text);
  if (curve_.empty()) return made;
  const auto* bytes = reinterpret_cast<const unsigned char*>(made.data());
  ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(made.size()));
  CHECK(pair != nullptr);
  const std::string raw = bytes_of_number(ECDSA_SIG_get0_r(pair), coordinate_bytes(curve_)) +
                          bytes_of_number(ECDSA_SIG_get0_s(pair), coordinate_bytes(curve_));
  ECDSA_SIG_free(pair);
  return raw;
}

std::string ForeignKey::token(std::string_view header, std::string_view claims) const {
  const std::string text = unsigned_token(header, claims);
  const std::string algorithm = Json::parse(header).value()["alg"].as_string();
  return text + "." + to_base64url(signature(algorithm, text));
}

std::string unsigned_token(std::string_view header, std::string_view claims) {
  return to_base64url(header) + "." + to_base64url(claims);
}

}  // namespace rowlock
