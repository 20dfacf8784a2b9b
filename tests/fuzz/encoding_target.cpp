// Each of the three encodings takes a text in one writing alone, but for the case of hexadecimal.
#include "controller/base/check.h"
#include "controller/crypto/encoding.h"
#include "tests/fuzz/targets.h"

#include <algorithm>

namespace rowlock {

namespace {

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char each) {
    return each >= 'A' && each <= 'Z' ? static_cast<char>(each - 'A' + 'a') : each;
  });
  return lower;
}

}  // namespace

void fuzz_encoding(std::string_view bytes) {
  const auto hex = from_hex(bytes);
  CHECK(!hex.ok() || to_hex(hex.value()) == in_lower_case(bytes));
  const auto base64 = from_base64(bytes);
  CHECK(!base64.ok() || to_base64(base64.value()) == bytes);
  const auto base64url = from_base64url(bytes);
  CHECK(!base64url.ok() || to_base64url(base64url.value()) == bytes);

  CHECK(from_hex(to_hex(bytes)).value() == bytes);
  CHECK(from_base64(to_base64(bytes)).value() == bytes);
  CHECK(from_base64url(to_base64url(bytes)).value() == bytes);
}

}  // namespace rowlock
