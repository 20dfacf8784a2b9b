// Public keys of RSA and EC and what they verify, by OpenSSL: the one place in controller/crypto
// that calls it. libsodium has neither.
#pragma once

#include "controller/base/result.h"

#include <memory>
#include <string_view>

namespace rowlock {

enum class Digest { sha256, sha384, sha512 };
enum class EllipticCurve { p256, p384 };

class OpensslKey {
 public:
  // Both numbers big-endian. Rejected under 2048 bits, which can be factored one day, and over
  // 8192, which take long to compute with.
  static Result<OpensslKey> rsa(std::string_view modulus, std::string_view exponent);

  // Rejected unless the coordinates, big-endian and of the curve's full length, are those of a
  // point on it.
  static Result<OpensslKey> elliptic(EllipticCurve curve, std::string_view x, std::string_view y);

  // RSASSA-PKCS1-v1_5, and RSASSA-PSS with MGF1 over the same digest and a salt of its length (RFC
  // 7518 sections 3.3 and 3.5). Requires: an RSA key.
  bool verifies_pkcs1(Digest digest, std::string_view text, std::string_view signature) const;
  bool verifies_pss(Digest digest, std::string_view text, std::string_view signature) const;

  // ECDSA; the signature is r and s in the curve's full length each (section 3.4). Requires: an EC
  // key.
  bool verifies_ecdsa(Digest digest, std::string_view text, std::string_view signature) const;

 private:
  struct Handle;
  explicit OpensslKey(std::shared_ptr<const Handle> handle) : handle_(std::move(handle)) {}
  std::shared_ptr<const Handle> handle_;
};

}  // namespace rowlock
