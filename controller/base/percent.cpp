// Byte by byte, since a character of several bytes is encoded as several escapes.
#include "controller/base/percent.h"

#include "controller/base/utf8.h"

#include <cctype>

namespace rowlock {

namespace {

// -1: no hexadecimal digit.
int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that an escape at the beginning stands for; -1: there is none.
int escaped_byte(std::string_view encoded) {
  if (encoded.size() < 3 || encoded.front() != '%') return -1;
  const int high = digit_of(encoded[1]);
  const int low = digit_of(encoded[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace

std::string percent_encoded(std::string_view text, std::string_view keep) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte < 0x80 && std::isalnum(byte) != 0;
    if (plain || std::string_view("-._~").find(c) != std::string_view::npos ||
        keep.find(c) != std::string_view::npos) {
      result += c;
    } else {
      result += '%';
      result += kHex[byte >> 4];
      result += kHex[byte & 0xf];
    }
  }
  return result;
}

std::optional<std::string> percent_decoded(std::string_view encoded) {
  for (std::size_t at = encoded.find('%'); at != std::string_view::npos;
       at = encoded.find('%', at + 1)) {
    if (escaped_byte(encoded.substr(at)) < 0) return std::nullopt;
  }
  std::string decoded = percent_decoded_bytes(encoded);
  if (decoded.find('\0') != std::string::npos) return std::nullopt;
  if (utf8_first_fault(decoded) != std::string_view::npos) return std::nullopt;
  return decoded;
}

std::string percent_decoded_bytes(std::string_view encoded) {
  std::string decoded;
  while (!encoded.empty()) {
    const int byte = escaped_byte(encoded);
    decoded += byte < 0 ? encoded.front() : static_cast<char>(byte);
    encoded.remove_prefix(byte < 0 ? 1 : 3);
  }
  return decoded;
}

}  // namespace rowlock
