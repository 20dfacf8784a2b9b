// Bytes as text with a checksum that finds every typing error of up to four characters: a name, a
// 1, digits of 5 bits, six digits of checksum (BIP 173, without its limit of 90 characters). Keys
// of age are printed so.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <string>
#include <string_view>

namespace rowlock {

struct Bech32 {
  std::string name;  // In the case in which it stands there.
  SecretBytes bytes;
};

// Rejected unless well-formed to the last bit. The error does not repeat the text.
Result<Bech32> from_bech32(std::string_view text);

// Requires: a name in lower case.
std::string to_bech32(std::string_view name, std::string_view bytes);

}  // namespace rowlock
