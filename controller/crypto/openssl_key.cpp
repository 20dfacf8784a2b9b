// OpenSSL 3's EVP interface alone: keys are made from named parameters, and every failure leaves an
// error in a queue of the thread, which the next caller must not find.
#include "controller/crypto/openssl_key.h"

#include "controller/base/check.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <string>
#include <utility>

namespace rowlock {
namespace {

constexpr int kRsaBitsMin = 2048;
constexpr int kRsaBitsMax = 8192;
constexpr std::size_t kRsaExponentBytesMax = 8;

struct Free {
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(OSSL_PARAM* parameters) const { OSSL_PARAM_free(parameters); }
  void operator()(OSSL_PARAM_BLD* builder) const { OSSL_PARAM_BLD_free(builder); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

struct ErrorsCleared {
  ~ErrorsCleared() { ERR_clear_error(); }
};

Error unusable(const std::string& why) { return Error{Fault::rejected, Cause::other, why, ""}; }

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Owned<BIGNUM> number(std::string_view big_endian) {
  return Owned<BIGNUM>(
      BN_bin2bn(bytes_of(big_endian), static_cast<int>(big_endian.size()), nullptr));
}

// Null when OpenSSL does not take them.
Owned<EVP_PKEY> key_from(const char* type, OSSL_PARAM_BLD& builder) {
  const Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(&builder));
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return Owned<EVP_PKEY>(key);
}

bool is_sound(EVP_PKEY& key) {
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_pkey(nullptr, &key, nullptr));
  return context != nullptr && EVP_PKEY_public_check(context.get()) == 1;
}

const EVP_MD* algorithm(Digest digest) {
  switch (digest) {
    case Digest::sha256: return EVP_sha256();
    case Digest::sha384: return EVP_sha384();
    case Digest::sha512: return EVP_sha512();
  }
  UNREACHABLE();
}

bool verifies(EVP_PKEY& key, Digest digest, bool is_pss, std::string_view text,
              std::string_view signature) {
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;  // Belongs to the context.
  if (context == nullptr ||
      EVP_DigestVerifyInit(context.get(), &options, algorithm(digest), nullptr, &key) != 1) {
    return false;
  }
  if (is_pss && (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
                 EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1)) {
    return false;
  }
  return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text),
                          text.size()) == 1;
}

// OpenSSL wants r and s as an ASN.1 sequence. Empty when that cannot be made.
std::string as_asn1(std::string_view r, std::string_view s) {
  const Owned<ECDSA_SIG> pair(ECDSA_SIG_new());
  Owned<BIGNUM> r_number = number(r);
  Owned<BIGNUM> s_number = number(s);
  if (pair == nullptr || r_number == nullptr || s_number == nullptr ||
      ECDSA_SIG_set0(pair.get(), r_number.get(), s_number.get()) != 1) {
    return "";
  }
  (void)r_number.release();  // They belong to the pair now.
  (void)s_number.release();
  unsigned char* bytes = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &bytes);
  if (size <= 0) return "";
  const std::string asn1(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return asn1;
}

}  // namespace

struct OpensslKey::Handle {
  Owned<EVP_PKEY> key;
  std::size_t coordinate_bytes = 0;  // Of an EC key.
};

Result<OpensslKey> OpensslKey::rsa(std::string_view modulus, std::string_view exponent) {
  const ErrorsCleared cleared;
  if (modulus.size() > kRsaBitsMax / 8 || exponent.size() > kRsaExponentBytesMax) {
    return unusable("the numbers of the RSA key are too long");
  }
  const Owned<BIGNUM> n = number(modulus);
  const Owned<BIGNUM> e = number(exponent);
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (n == nullptr || e == nullptr || builder == nullptr) return unusable("out of memory");
  if (BN_num_bits(n.get()) < kRsaBitsMin) {
    return unusable("an RSA key of fewer than " + std::to_string(kRsaBitsMin) + " bits");
  }
  if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return unusable("not an RSA key");
  }
  auto handle = std::make_shared<Handle>();
  handle->key = key_from("RSA", *builder);
  // An exponent of 1 would make every text its own signature.
  if (handle->key == nullptr || BN_is_odd(e.get()) == 0 || BN_is_one(e.get()) == 1 ||
      !is_sound(*handle->key)) {
    return unusable("not an RSA key");
  }
  return OpensslKey(std::move(handle));
}

Result<OpensslKey> OpensslKey::elliptic(EllipticCurve curve, std::string_view x,
                                        std::string_view y) {
  const ErrorsCleared cleared;
  const bool is_p256 = curve == EllipticCurve::p256;
  auto handle = std::make_shared<Handle>();
  handle->coordinate_bytes = is_p256 ? 32 : 48;
  if (x.size() != handle->coordinate_bytes || y.size() != handle->coordinate_bytes) {
    return unusable("the coordinates of the EC key are not as long as its curve");
  }
  std::string point = "\x04";  // Uncompressed (SEC 1, section 2.3.3).
  point.append(x).append(y);
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                      is_p256 ? "prime256v1" : "secp384r1", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return unusable("not an EC key");
  }
  handle->key = key_from("EC", *builder);
  if (handle->key == nullptr || !is_sound(*handle->key)) {
    return unusable("the EC key is not a point on its curve");
  }
  return OpensslKey(std::move(handle));
}

bool OpensslKey::verifies_pkcs1(Digest digest, std::string_view text,
                                std::string_view signature) const {
  const ErrorsCleared cleared;
  return verifies(*handle_->key, digest, false, text, signature);
}

bool OpensslKey::verifies_pss(Digest digest, std::string_view text,
                              std::string_view signature) const {
  const ErrorsCleared cleared;
  return verifies(*handle_->key, digest, true, text, signature);
}

bool OpensslKey::verifies_ecdsa(Digest digest, std::string_view text,
                                std::string_view signature) const {
  const ErrorsCleared cleared;
  const std::size_t half = handle_->coordinate_bytes;
  if (signature.size() != 2 * half) return false;
  const std::string asn1 = as_asn1(signature.substr(0, half), signature.substr(half));
  return !asn1.empty() && verifies(*handle_->key, digest, false, text, asn1);
}

}  // namespace rowlock
