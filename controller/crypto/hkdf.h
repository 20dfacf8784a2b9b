// Keys out of other secrets: HKDF with HMAC-SHA-256 (RFC 5869), which libsodium has only since
// 1.0.19.
#pragma once

#include "controller/crypto/secret_bytes.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace rowlock {

// HMAC-SHA-256 (RFC 2104), 32 bytes.
SecretBytes hmac_sha256(std::string_view key, std::string_view text);

// Requires: at most 255 * 32 bytes.
SecretBytes hkdf_sha256(std::string_view secret, std::string_view salt, std::string_view purpose,
                        std::size_t size);

}  // namespace rowlock
