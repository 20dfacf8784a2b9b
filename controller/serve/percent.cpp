#include "controller/serve/percent.h"

#include "controller/base/utf8.h"

namespace rowlock {

namespace {

// -1: not a hexadecimal digit.
int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view encoded) {
  std::string decoded;
  while (!encoded.empty()) {
    std::size_t taken = 1;
    char c = encoded.front();
    if (c == '%') {
      taken = 3;
      if (encoded.size() < taken) return std::nullopt;
      const int high = digit_of(encoded[1]);
      const int low = digit_of(encoded[2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
    }
    if (c == '\0') return std::nullopt;
    decoded += c;
    encoded.remove_prefix(taken);
  }
  if (utf8_first_fault(decoded) != std::string_view::npos) return std::nullopt;
  return decoded;
}

}  // namespace rowlock
