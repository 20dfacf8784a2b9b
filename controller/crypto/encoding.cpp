// libsodium's codecs: they look nothing up in tables, so that the time they take says nothing of a
// key, and they refuse spare bits and padding that is not as it must be.
#include "controller/crypto/encoding.h"

#include "controller/crypto/sodium.h"

namespace rowlock {
namespace {

std::string encoded(std::string_view bytes, int variant) {
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes_of(bytes), bytes.size(), variant);
  text.pop_back();  // The zero at the end.
  return text;
}

// libsodium 1.0.18 takes every byte past ASCII for the last digit of the base64 alphabet: a text
// could be altered without notice.
bool is_ascii(std::string_view text) {
  unsigned int seen = 0;
  for (const char c : text) seen |= static_cast<unsigned char>(c);
  return seen < 0x80;
}

// The text is not repeated in the error: it may be a secret.
Result<std::string> decoded(std::string_view text, int variant, const char* name) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  std::size_t size = 0;
  if (!is_ascii(text) || sodium_base642bin(bytes_of(bytes), bytes.size(), text.data(), text.size(),
                                           nullptr, &size, nullptr, variant) != 0) {
    return Error{Fault::rejected, Cause::other, std::string("not ") + name, ""};
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes_of(bytes), bytes.size());
  text.pop_back();  // The zero at the end.
  return text;
}

Result<std::string> from_hex(std::string_view text) {
  std::string bytes(text.size() / 2, '\0');
  std::size_t size = 0;
  if (sodium_hex2bin(bytes_of(bytes), bytes.size(), text.data(), text.size(), nullptr, &size,
                     nullptr) != 0) {
    return Error{Fault::rejected, Cause::other, "not hexadecimal", ""};
  }
  return bytes;
}

std::string to_base64(std::string_view bytes) {
  return encoded(bytes, sodium_base64_VARIANT_ORIGINAL);
}

Result<std::string> from_base64(std::string_view text) {
  return decoded(text, sodium_base64_VARIANT_ORIGINAL, "base64");
}

std::string to_base64url(std::string_view bytes) {
  return encoded(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

Result<std::string> from_base64url(std::string_view text) {
  return decoded(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING, "base64url");
}

}  // namespace rowlock
