// Each byte of the secret is the value at 0 of a polynomial of its own with threshold - 1 random
// coefficients; share x holds their values at x. Nothing is looked up in tables, whose cells would
// be in the cache or not according to the secret.
#include "controller/crypto/shamir.h"

#include "controller/base/check.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"

#include <charconv>
#include <set>

namespace rowlock {
namespace {

constexpr std::string_view kPrefix = "rowlock-share-";
constexpr int kSharesMax = 255;  // As many x as GF(256) has besides 0.
constexpr std::size_t kSetBytes = 4;
constexpr std::size_t kCheckDigits = 8;

// In GF(256) with x^8 + x^4 + x^3 + x + 1.
unsigned char product(unsigned int left, unsigned int right) {
  unsigned int sum = 0;
  for (int bit = 0; bit < 8; ++bit) {
    sum ^= (0U - (right & 1)) & left;
    left = (left << 1) ^ ((0U - (left >> 7)) & 0x11b);
    right >>= 1;
  }
  return static_cast<unsigned char>(sum);
}

// a^254, since a^255 is 1 for every a but 0. Requires: not 0.
unsigned char inverse(unsigned char of) {
  unsigned char power = 1;
  for (int i = 0; i < 254; ++i) power = product(power, of);
  return power;
}

// By Horner's rule. The secret's byte is the constant term.
unsigned char value_at(int x, unsigned char secret, const unsigned char* coefficients, int count) {
  unsigned char value = 0;
  for (int i = count; i-- > 0;) {
    value = product(value ^ coefficients[i], static_cast<unsigned char>(x));
  }
  return value ^ secret;
}

// What the value at x counts for when the polynomial is read at 0 (Lagrange).
unsigned char weight(const std::vector<Share>& shares, std::size_t count, std::size_t of) {
  unsigned char result = 1;
  for (std::size_t i = 0; i < count; ++i) {
    if (i == of) continue;
    const auto x = static_cast<unsigned char>(shares[i].x);
    const auto own = static_cast<unsigned char>(shares[of].x);
    result = product(result, product(x, inverse(x ^ own)));
  }
  return result;
}

std::string check_of(std::string_view text) { return to_hex(sha256(text)).substr(0, kCheckDigits); }

std::string printed(const std::string& set, int threshold, int x, const SecretBytes& bytes) {
  std::string hex = to_hex(bytes.view());
  std::string text = std::string(kPrefix) + set + "-" + std::to_string(threshold) + "-" +
                     std::to_string(x) + "-" + hex + "-";
  wipe(hex);
  return text + check_of(text);
}

Error no_share(const std::string& why) {
  return Error{Fault::rejected, Cause::other, "not a share: " + why,
               "type it as it was printed, from rowlock-share- to the last digit"};
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kWhite = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kWhite);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhite) + 1 - first);
}

// The text up to the next dash, which is dropped from the front with it.
std::string_view next_field(std::string_view& text) {
  const std::size_t dash = text.find('-');
  const std::string_view field = text.substr(0, dash);
  text.remove_prefix(dash == std::string_view::npos ? text.size() : dash + 1);
  return field;
}

// 1 to 255 without leading zeros, or 0.
int small_number(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number <= kSharesMax && std::to_string(number) == text ? number : 0;
}

}  // namespace

std::vector<std::string> split_secret(const SecretBytes& secret, int shares, int threshold) {
  CHECK(1 <= threshold && threshold <= shares && shares <= kSharesMax);
  const std::string set = to_hex(random_bytes(kSetBytes));
  const auto degree = static_cast<std::size_t>(threshold - 1);
  const SecretBytes coefficients = SecretBytes::random(secret.size() * degree);
  std::vector<std::string> texts;
  for (int x = 1; x <= shares; ++x) {
    SecretBytes bytes(secret.size());
    for (std::size_t i = 0; i < secret.size(); ++i) {
      bytes.data()[i] =
          value_at(x, secret.data()[i], coefficients.data() + i * degree, threshold - 1);
    }
    texts.push_back(printed(set, threshold, x, bytes));
  }
  return texts;
}

Result<Share> read_share(std::string_view text) {
  text = trimmed(text);
  if (text.substr(0, kPrefix.size()) != kPrefix) {
    return no_share("it does not begin with " + std::string(kPrefix));
  }
  const std::size_t last_dash = text.rfind('-');
  if (!are_equal(text.substr(last_dash + 1), check_of(text.substr(0, last_dash + 1)))) {
    return no_share("a character is wrong or missing");
  }
  // From here on only a text that somebody made up can be refused.
  std::string_view rest = text.substr(kPrefix.size());
  Share share;
  share.set = next_field(rest);
  const auto set = from_hex(share.set);
  if (!set.ok() || set.value().size() != kSetBytes) return no_share("its set is not 8 hex digits");
  share.threshold = small_number(next_field(rest));
  if (share.threshold == 0) return no_share("how many are needed is not 1 to 255");
  share.x = small_number(next_field(rest));
  if (share.x == 0) return no_share("its number is not 1 to 255");
  auto bytes = from_hex(next_field(rest));
  if (!bytes.ok()) return no_share("its bytes are not hexadecimal");
  if (rest.size() != kCheckDigits) return no_share("it has a part too many or too few");
  std::string plain = std::move(bytes).value();
  share.bytes = SecretBytes(plain);
  wipe(plain);
  return share;
}

// Any further shares say the same, so that they are left out.
SecretBytes combine_shares(const std::vector<Share>& shares) {
  CHECK(!shares.empty());
  const auto count = static_cast<std::size_t>(shares[0].threshold);
  CHECK(1 <= shares[0].threshold && count <= shares.size());
  std::set<int> numbers;
  SecretBytes secret(shares[0].bytes.size());
  for (const Share& share : shares) {
    CHECK(share.set == shares[0].set && share.threshold == shares[0].threshold);
    CHECK(share.bytes.size() == secret.size() && numbers.insert(share.x).second);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned char counts = weight(shares, count, i);
    for (std::size_t at = 0; at < secret.size(); ++at) {
      secret.data()[at] ^= product(shares[i].bytes.data()[at], counts);
    }
  }
  return secret;
}

}  // namespace rowlock
