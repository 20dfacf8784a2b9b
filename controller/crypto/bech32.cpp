// The checksum is a polynomial over GF(32); the constants are those of BIP 173.
#include "controller/crypto/bech32.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace rowlock {
namespace {

constexpr std::string_view kDigits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t kChecksumDigits = 6;
constexpr std::size_t kTextMax = 1000;

Error malformed(const char* why) { return Error{Fault::rejected, Cause::other, why, ""}; }

bool is_upper(char c) { return 'A' <= c && c <= 'Z'; }
bool is_lower(char c) { return 'a' <= c && c <= 'z'; }
char lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

// Takes one more digit into the checksum, which is 1 after the last one of a good text.
std::uint32_t next_checksum(std::uint32_t checksum, std::uint32_t digit) {
  constexpr std::array<std::uint32_t, 5> kGenerator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
                                                       0x3d4233dd, 0x2a1462b3};
  const std::uint32_t top = checksum >> 25;
  checksum = (checksum & 0x1ffffff) << 5 ^ digit;
  for (std::size_t i = 0; i < kGenerator.size(); ++i) {
    if ((top >> i & 1) == 1) checksum ^= kGenerator[i];
  }
  return checksum;
}

std::uint32_t checksum_of_name(std::string_view name) {
  std::uint32_t checksum = 1;
  for (const char c : name) checksum = next_checksum(checksum, std::uint8_t(lower(c)) >> 5);
  checksum = next_checksum(checksum, 0);
  for (const char c : name) checksum = next_checksum(checksum, std::uint8_t(lower(c)) & 31);
  return checksum;
}

// What is left over of the last 5 bits has to be zeros.
Result<SecretBytes> bytes_of_digits(std::string_view digits) {
  SecretBytes bytes(digits.size() * 5 / 8);
  std::uint32_t bits = 0;
  std::size_t count = 0;
  std::size_t at = 0;
  for (const char c : digits) {
    bits = (bits << 5 | static_cast<std::uint32_t>(kDigits.find(lower(c)))) & 0xfff;
    count += 5;
    if (count < 8) continue;
    count -= 8;
    bytes.data()[at++] = static_cast<unsigned char>(bits >> count & 0xff);
  }
  if (count >= 5 || (bits & ((1U << count) - 1)) != 0) return malformed("it has spare bits");
  return bytes;
}

}  // namespace

Result<Bech32> from_bech32(std::string_view text) {
  if (text.size() > kTextMax) return malformed("it is too long");
  if (std::any_of(text.begin(), text.end(), is_upper) &&
      std::any_of(text.begin(), text.end(), is_lower)) {
    return malformed("it mixes upper and lower case");
  }
  const std::size_t separator = text.rfind('1');
  if (separator == std::string_view::npos || separator == 0 ||
      text.size() - separator - 1 < kChecksumDigits) {
    return malformed("it is cut off");
  }
  const std::string_view name = text.substr(0, separator);
  if (std::any_of(name.begin(), name.end(), [](char c) { return c < 33 || c > 126; })) {
    return malformed("it has a character that cannot be in it");
  }
  const std::string_view digits = text.substr(separator + 1);
  std::uint32_t checksum = checksum_of_name(name);
  for (const char c : digits) {
    const std::size_t digit = kDigits.find(lower(c));
    if (digit == std::string_view::npos) {
      return malformed("it has a character that cannot be in it");
    }
    checksum = next_checksum(checksum, static_cast<std::uint32_t>(digit));
  }
  if (checksum != 1) return malformed("a character is wrong");
  auto bytes = TRY(bytes_of_digits(digits.substr(0, digits.size() - kChecksumDigits)));
  return Bech32{std::string(name), std::move(bytes)};
}

std::string to_bech32(std::string_view name, std::string_view bytes) {
  std::string text = std::string(name) + "1";
  std::uint32_t checksum = checksum_of_name(name);
  const auto add = [&](std::uint32_t digit) {
    checksum = next_checksum(checksum, digit);
    text += kDigits[digit];
  };
  std::uint32_t bits = 0;
  std::size_t count = 0;
  for (const char c : bytes) {
    bits = (bits << 8 | std::uint8_t(c)) & 0xfff;
    for (count += 8; count >= 5; count -= 5) add(bits >> (count - 5) & 31);
  }
  if (count > 0) add(bits << (5 - count) & 31);
  for (std::size_t i = 0; i < kChecksumDigits; ++i) checksum = next_checksum(checksum, 0);
  checksum ^= 1;
  for (std::size_t i = kChecksumDigits; i-- > 0;) text += kDigits[checksum >> (5 * i) & 31];
  return text;
}

}  // namespace rowlock
