// The first line is a share but for its check, which is put behind it: a share is taken in one
// writing alone, but for the case of its digits. The rest is a secret that its shares give back;
// its first two bytes say how many there are and how many it takes.
#include "controller/base/check.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/shamir.h"
#include "tests/fuzz/targets.h"

#include <algorithm>

namespace rowlock {

namespace {

constexpr std::size_t kSecretMax = 64;
constexpr unsigned kSharesMax = 8;

std::string in_lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

void check_share(std::string_view line) {
  (void)read_share(line);
  const std::string body = std::string(line) + "-";
  const auto share = read_share(body + to_hex(sha256(body)).substr(0, 8));
  if (!share.ok()) return;
  const Share& read = share.value();
  CHECK(read.threshold >= 1 && read.x >= 1 && read.x <= 255);
  const std::string again = "rowlock-share-" + read.set + "-" + std::to_string(read.threshold) +
                            "-" + std::to_string(read.x) + "-" + to_hex(read.bytes.view()) + "-";
  CHECK(in_lower_case(again) == in_lower_case(body));
}

}  // namespace

void fuzz_shamir(std::string_view bytes) {
  const auto [line, rest] = first_line(bytes);
  check_share(line);
  if (rest.size() < 3) return;
  const int shares = 1 + static_cast<int>(static_cast<unsigned char>(rest[0]) % kSharesMax);
  const int threshold = 1 + static_cast<unsigned char>(rest[1]) % shares;
  const SecretBytes secret(rest.substr(2, kSecretMax));
  std::vector<Share> read;
  for (const std::string& text : split_secret(secret, shares, threshold)) {
    auto share = read_share(" " + text + "\n");
    CHECK(share.ok());
    read.push_back(std::move(share).value());
  }
  const auto begin = static_cast<std::size_t>(shares - threshold);  // The last of them.
  std::rotate(read.begin(), read.begin() + static_cast<std::ptrdiff_t>(begin), read.end());
  read.erase(read.begin() + threshold, read.end());
  CHECK(combine_shares(read).view() == secret.view());
}

}  // namespace rowlock
