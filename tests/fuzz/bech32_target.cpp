// The first line is a name and the rest bytes, printed here by the letters of BIP 173: they read as
// the same, in upper case too, and one wrong digit is found. The same bytes are read as they are.
#include "controller/base/check.h"
#include "controller/crypto/bech32.h"
#include "tests/fuzz/targets.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace rowlock {

namespace {

constexpr std::string_view kDigits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

std::uint32_t checksum_of(const std::vector<unsigned>& values) {
  std::uint32_t sum = 1;
  for (const unsigned value : values) {
    const std::uint32_t top = sum >> 25;
    sum = (sum & 0x1ffffff) << 5 ^ value;
    if ((top & 1) != 0) sum ^= 0x3b6a57b2;
    if ((top & 2) != 0) sum ^= 0x26508e6d;
    if ((top & 4) != 0) sum ^= 0x1ea119fa;
    if ((top & 8) != 0) sum ^= 0x3d4233dd;
    if ((top & 16) != 0) sum ^= 0x2a1462b3;
  }
  return sum;
}

std::string printed(std::string_view name, std::string_view bytes) {
  std::vector<unsigned> digits;
  unsigned bits = 0;
  unsigned count = 0;
  for (const char byte : bytes) {
    bits = (bits << 8 | static_cast<unsigned char>(byte)) & 0xfff;
    for (count += 8; count >= 5; count -= 5) digits.push_back(bits >> (count - 5) & 31);
  }
  if (count > 0) digits.push_back(bits << (5 - count) & 31);

  std::vector<unsigned> values;
  for (const char c : name) values.push_back(static_cast<unsigned char>(c) >> 5);
  values.push_back(0);
  for (const char c : name) values.push_back(static_cast<unsigned char>(c) & 31U);
  values.insert(values.end(), digits.begin(), digits.end());
  values.insert(values.end(), 6, 0);
  const std::uint32_t sum = checksum_of(values) ^ 1;
  for (unsigned i = 0; i < 6; ++i) digits.push_back(sum >> (25 - 5 * i) & 31);

  std::string text = std::string(name) + "1";
  for (const unsigned digit : digits) text += kDigits[digit];
  return text;
}

bool is_small_letter(char c) { return c >= 'a' && c <= 'z'; }

}  // namespace

void fuzz_bech32(std::string_view bytes) {
  const auto read = from_bech32(bytes);
  CHECK(!read.ok() || read.value().bytes.size() <= bytes.size());

  const auto [name, rest] = first_line(bytes.substr(0, 400));
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_small_letter)) return;
  std::string text = printed(name, rest);
  const auto again = from_bech32(text);
  CHECK(again.ok() && again.value().name == name && again.value().bytes.view() == rest);

  std::string upper = text;
  for (char& c : upper) c = is_small_letter(c) ? static_cast<char>(c - 'a' + 'A') : c;
  const auto loud = from_bech32(upper);
  CHECK(loud.ok() && loud.value().bytes.view() == rest);

  char& digit = text[name.size() + 1 + rest.size() % (text.size() - name.size() - 1)];
  digit = digit == 'q' ? 'p' : 'q';
  CHECK(!from_bech32(text).ok());
}

}  // namespace rowlock
