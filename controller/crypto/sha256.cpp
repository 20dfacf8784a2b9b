// By OpenSSL's EVP interface. A failure here is a programmer's error or a lack of memory, so it
// stops the program.
#include "controller/crypto/sha256.h"

#include "controller/base/check.h"

#include <openssl/evp.h>

namespace rowlock {
namespace {

constexpr std::size_t kHashBytes = 32;

}  // namespace

void Sha256::Free::operator()(evp_md_ctx_st* state) const { EVP_MD_CTX_free(state); }

Sha256::Sha256() : state_(EVP_MD_CTX_new()) {
  CHECK(state_ != nullptr);
  CHECK(EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::add(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(state_.get(), bytes.data(), bytes.size()) == 1);
}

std::string Sha256::finish() {
  std::string hash(kHashBytes, '\0');
  CHECK(EVP_DigestFinal_ex(state_.get(), reinterpret_cast<unsigned char*>(hash.data()), nullptr) ==
        1);
  CHECK(EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr) == 1);
  return hash;
}

}  // namespace rowlock
