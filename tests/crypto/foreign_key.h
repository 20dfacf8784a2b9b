// A key pair of somebody else, by OpenSSL: what an issuer of tokens has. It signs whatever header
// and claims it is given, as an attacker would.
#pragma once

#include "controller/base/json.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

class ForeignKey {
 public:
  static ForeignKey rsa(unsigned int bits = 2048);
  static ForeignKey elliptic(const std::string& curve);  // P-256, P-384, P-521.

  // The public key, with these members added.
  Json public_key(std::vector<std::pair<std::string, Json>> members = {}) const;

  // A token by the header's `alg`; the digest is that of its last three digits.
  std::string token(std::string_view header, std::string_view claims) const;

  // As it stands in a token, decoded.
  std::string signature(std::string_view algorithm, std::string_view text) const;

 private:
  explicit ForeignKey(void* key);
  std::string asn1_signature(std::string_view algorithm, std::string_view text) const;
  std::shared_ptr<void> key_;
  std::string curve_;
};

// Both parts encoded, with a dot between them.
std::string unsigned_token(std::string_view header, std::string_view claims);

}  // namespace rowlock
