// Two different rows must never give the same bytes: hence the type and the length before each
// cell.
#include "controller/secrets/canonical.h"

#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"

#include <fmt/format.h>

namespace rowlock {

const std::string kNoSum(2 * kKeyBytes, '0');

std::string canonical(const Row& row, std::string_view left_out) {
  std::string text;
  for (std::size_t i = 0; i < row.cells().size(); ++i) {
    if (row.columns()[i] == left_out) {
      continue;
    }
    const std::string cell = text_of(row.cells()[i]);
    text += fmt::format("{}{}:{}", row.cells()[i].index(), cell.size(), cell);
  }
  return text;
}

std::string mac_of_token(const SecretBytes& key, const Row& row) {
  return to_hex(keyed_hash(key, {"row", canonical(row, "mac")}));
}

std::string exclusive_or(const std::string& left_hex, const std::string& right_hex) {
  const auto left = from_hex(left_hex);
  const auto right = from_hex(right_hex);
  std::string sum(kKeyBytes, '\0');
  for (std::size_t i = 0; i < kKeyBytes; ++i) {
    const char a = left.ok() && left.value().size() == kKeyBytes ? left.value()[i] : '\0';
    const char b = right.ok() && right.value().size() == kKeyBytes ? right.value()[i] : '\0';
    sum[i] = static_cast<char>(a ^ b);
  }
  return to_hex(sum);
}

}  // namespace rowlock
