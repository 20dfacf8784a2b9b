// A random nonce of 24 bytes never comes up twice, so that nobody has to count. That is why it is
// XChaCha20 and neither its shorter sibling nor AES-GCM.
#include "controller/crypto/cipher.h"

#include "controller/base/check.h"
#include "controller/crypto/sodium.h"

#include <cstdint>

namespace rowlock {
namespace {

constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(kKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

void add_length(crypto_auth_hmacsha256_state& state, std::uint64_t length) {
  unsigned char bytes[8];
  for (unsigned char& byte : bytes) {
    byte = static_cast<unsigned char>(length & 0xff);
    length >>= 8;
  }
  crypto_auth_hmacsha256_update(&state, bytes, sizeof bytes);
}

}  // namespace

std::string seal(const SecretBytes& key, std::string_view plain, std::string_view bound) {
  CHECK(key.size() == kKeyBytes);
  std::string sealed = random_bytes(kNonceBytes);
  sealed.resize(kNonceBytes + plain.size() + kTagBytes);
  unsigned char* nonce = bytes_of(sealed);
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonceBytes, nullptr, bytes_of(plain),
                                             plain.size(), bytes_of(bound), bound.size(), nullptr,
                                             nonce, key.data());
  return sealed;
}

Result<SecretBytes> open_seal(const SecretBytes& key, std::string_view sealed,
                              std::string_view bound) {
  CHECK(key.size() == kKeyBytes);
  start_sodium();
  if (sealed.size() < kNonceBytes + kTagBytes) {
    return Error{Fault::rejected, Cause::other, "too short for a sealed text", ""};
  }
  SecretBytes plain(sealed.size() - kNonceBytes - kTagBytes);
  const unsigned char* nonce = bytes_of(sealed);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          plain.data(), nullptr, nullptr, nonce + kNonceBytes, sealed.size() - kNonceBytes,
          bytes_of(bound), bound.size(), nonce, key.data()) != 0) {
    return Error{Fault::rejected, Cause::other,
                 "the seal does not open: another key, another place, or altered", ""};
  }
  return plain;
}

std::string sha256(std::string_view text) {
  std::string digest(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256(bytes_of(digest), bytes_of(text), text.size());
  return digest;
}

std::string keyed_hash(const SecretBytes& key, std::initializer_list<std::string_view> parts) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key.data(), key.size());
  for (const std::string_view part : parts) {
    add_length(state, part.size());
    crypto_auth_hmacsha256_update(&state, bytes_of(part), part.size());
  }
  std::string hash(crypto_auth_hmacsha256_BYTES, '\0');
  crypto_auth_hmacsha256_final(&state, bytes_of(hash));
  sodium_memzero(&state, sizeof state);
  return hash;
}

std::string random_bytes(std::size_t count) {
  start_sodium();
  std::string bytes(count, '\0');
  randombytes_buf(bytes.data(), count);
  return bytes;
}

}  // namespace rowlock
