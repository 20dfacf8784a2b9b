// libsodium does the guarding: its pages are locked, kept out of core dumps, between two pages that
// nobody may touch, and wiped by sodium_free.
#include "controller/crypto/secret_bytes.h"

#include "controller/crypto/sodium.h"

#include <cstring>
#include <new>

namespace rowlock {
namespace {

unsigned char* guarded(std::size_t size) {
  if (size == 0) return nullptr;
  start_sodium();
  void* memory = sodium_malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<unsigned char*>(memory);
}

}  // namespace

SecretBytes::SecretBytes(std::size_t size) : data_(guarded(size)), size_(size) {
  if (size > 0) std::memset(data_, 0, size);
}

SecretBytes::SecretBytes(std::string_view copied)
    : data_(guarded(copied.size())), size_(copied.size()) {
  if (size_ > 0) std::memcpy(data_, copied.data(), size_);
}

SecretBytes SecretBytes::random(std::size_t size) {
  SecretBytes bytes(size);
  if (size > 0) randombytes_buf(bytes.data_, size);
  return bytes;
}

SecretBytes::~SecretBytes() { sodium_free(data_); }

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    sodium_free(data_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

// What a longer text left behind its end is wiped as well.
void wipe(std::string& text) {
  const std::size_t size = text.size();
  text.resize(text.capacity());
  sodium_memzero(text.data(), text.size());
  text.resize(size);
}

bool are_equal(std::string_view left, std::string_view right) {
  return left.size() == right.size() && sodium_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace rowlock
