// By OpenSSL. None of its calls here can fail but for a programmer's error or want of memory, so a
// failure stops the program.
#include "controller/adapters/digest.h"

#include "controller/base/check.h"
#include "controller/crypto/encoding.h"

#include <openssl/evp.h>

namespace rowlock {

struct StreamDigest::Context {
  Context() : state(EVP_MD_CTX_new()) { CHECK(state != nullptr); }
  ~Context() { EVP_MD_CTX_free(state); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  EVP_MD_CTX* state;
};

StreamDigest::StreamDigest(Method method) : context_(std::make_unique<Context>()) {
  const EVP_MD* const algorithm = method == Method::sha256 ? EVP_sha256() : EVP_md5();
  CHECK(EVP_DigestInit_ex(context_->state, algorithm, nullptr) == 1);
}

StreamDigest::~StreamDigest() = default;
StreamDigest::StreamDigest(StreamDigest&&) noexcept = default;
StreamDigest& StreamDigest::operator=(StreamDigest&&) noexcept = default;

void StreamDigest::add(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(context_->state, bytes.data(), bytes.size()) == 1);
}

std::string StreamDigest::end() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(EVP_DigestFinal_ex(context_->state, digest, &size) == 1);
  return {reinterpret_cast<const char*>(digest), size};
}

std::string sha256_hex(std::string_view bytes) {
  StreamDigest digest(StreamDigest::Method::sha256);
  digest.add(bytes);
  return to_hex(digest.end());
}

std::string md5_of(std::string_view bytes) {
  StreamDigest digest(StreamDigest::Method::md5);
  digest.add(bytes);
  return digest.end();
}

}  // namespace rowlock
