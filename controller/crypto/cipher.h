// Sealing and hashing, by libsodium. Byte strings are std::string; what is printed goes through
// encoding.h.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

namespace rowlock {

constexpr std::size_t kKeyBytes = 32;

// XChaCha20-Poly1305 (IETF): a random nonce of 24 bytes, the ciphertext, the tag of 16 bytes.
// `bound` is not stored, but the seal opens only with the same. Requires: a key of kKeyBytes.
std::string seal(const SecretBytes& key, std::string_view plain, std::string_view bound);

// Rejected when anything differs: the key, a bit, what it is bound to.
Result<SecretBytes> open_seal(const SecretBytes& key, std::string_view sealed,
                              std::string_view bound);

std::string sha256(std::string_view text);  // 32 bytes.

// HMAC-SHA-256 over the parts, each preceded by its length as 8 bytes (little-endian), so that no
// two lists of parts give the same input. 32 bytes.
std::string keyed_hash(const SecretBytes& key, std::initializer_list<std::string_view> parts);

std::string random_bytes(std::size_t count);

}  // namespace rowlock
