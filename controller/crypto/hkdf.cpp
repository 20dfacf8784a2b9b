// Extract: one HMAC makes a key of even quality. Expand: one more for every 32 bytes wanted.
#include "controller/crypto/hkdf.h"

#include "controller/base/check.h"
#include "controller/crypto/sodium.h"

#include <algorithm>
#include <cstring>

namespace rowlock {
namespace {

constexpr std::size_t kBlockBytes = crypto_auth_hmacsha256_BYTES;
constexpr std::size_t kBlocksMax = 255;

class Hmac {
 public:
  explicit Hmac(std::string_view key) {
    crypto_auth_hmacsha256_init(&state_, bytes_of(key), key.size());
  }
  ~Hmac() { sodium_memzero(&state_, sizeof state_); }
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;

  void add(std::string_view text) {
    crypto_auth_hmacsha256_update(&state_, bytes_of(text), text.size());
  }
  SecretBytes result() {
    SecretBytes hash(kBlockBytes);
    crypto_auth_hmacsha256_final(&state_, hash.data());
    return hash;
  }

 private:
  crypto_auth_hmacsha256_state state_;
};

}  // namespace

SecretBytes hmac_sha256(std::string_view key, std::string_view text) {
  Hmac hmac(key);
  hmac.add(text);
  return hmac.result();
}

SecretBytes hkdf_sha256(std::string_view secret, std::string_view salt, std::string_view purpose,
                        std::size_t size) {
  CHECK(size <= kBlocksMax * kBlockBytes);
  const SecretBytes key = hmac_sha256(salt, secret);
  SecretBytes made(size);
  SecretBytes block;
  char number = 1;
  for (std::size_t at = 0; at < size; at += kBlockBytes, ++number) {
    Hmac hmac(key.view());
    hmac.add(block.view());
    hmac.add(purpose);
    hmac.add({&number, 1});
    block = hmac.result();
    std::memcpy(made.data() + at, block.data(), std::min(kBlockBytes, size - at));
  }
  return made;
}

}  // namespace rowlock
