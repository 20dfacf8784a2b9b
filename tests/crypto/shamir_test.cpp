// Any k of n shares give the secret back, fewer give nothing, and a typing error is found in the
// share that has it.
#include "controller/crypto/shamir.h"

#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"

#include <criterion/criterion.h>

#include <cctype>
#include <csignal>
#include <set>

using namespace rowlock;

namespace {

// Those whose bit is set.
std::vector<Share> chosen(const std::vector<std::string>& texts, unsigned int mask) {
  std::vector<Share> shares;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if ((mask >> i & 1) == 0) continue;
    auto share = read_share(texts[i]);
    cr_assert(share.ok(), "%s", texts[i].c_str());
    shares.push_back(std::move(share).value());
  }
  return shares;
}

int bits_of(unsigned int mask) { return __builtin_popcount(mask); }

std::string with_check(const std::string& text) { return text + to_hex(sha256(text)).substr(0, 8); }

}  // namespace

Test(crypto_shamir, any_three_of_five_shares_give_the_secret_back) {
  const SecretBytes secret = SecretBytes::random(32);
  const std::vector<std::string> texts = split_secret(secret, 5, 3);
  cr_assert_eq(texts.size(), 5);

  for (unsigned int mask = 0; mask < 32; ++mask) {
    if (bits_of(mask) < 3) continue;
    cr_expect(combine_shares(chosen(texts, mask)).view() == secret.view(), "subset %x", mask);
  }
}

Test(crypto_shamir, two_shares_of_three_needed_give_something_else) {
  const SecretBytes secret = SecretBytes::random(32);
  const std::vector<std::string> texts = split_secret(secret, 5, 3);

  for (unsigned int mask = 0; mask < 32; ++mask) {
    if (bits_of(mask) != 2) continue;
    std::vector<Share> shares = chosen(texts, mask);
    for (Share& share : shares) share.threshold = 2;
    cr_expect(combine_shares(shares).view() != secret.view(), "subset %x", mask);
  }
}

// With one share less than needed every secret is as likely as any other: over many splits of the
// same byte the first share takes every value.
Test(crypto_shamir, one_share_says_nothing_about_the_secret) {
  const SecretBytes secret("s");
  std::set<std::string> seen;
  for (int i = 0; i < 5000; ++i) {
    seen.insert(std::string(read_share(split_secret(secret, 2, 2)[0]).value().bytes.view()));
  }
  cr_expect_eq(seen.size(), 256);
}

Test(crypto_shamir, the_order_does_not_matter) {
  const SecretBytes secret = SecretBytes::random(32);
  const std::vector<std::string> texts = split_secret(secret, 3, 3);
  std::vector<Share> shares;
  for (const std::size_t i : {2U, 0U, 1U}) shares.push_back(read_share(texts[i]).value());

  cr_expect(combine_shares(shares).view() == secret.view());
}

Test(crypto_shamir, the_smallest_and_the_largest_kits_work) {
  const SecretBytes secret = SecretBytes::random(17);

  cr_expect(combine_shares(chosen(split_secret(secret, 1, 1), 1)).view() == secret.view());
  const std::vector<std::string> texts = split_secret(secret, 255, 255);
  std::vector<Share> all;
  for (const std::string& text : texts) all.push_back(read_share(text).value());
  cr_expect(combine_shares(all).view() == secret.view());
}

// Made with tables of logarithms by another program.
Test(crypto_shamir, shares_of_another_implementation_are_understood) {
  const std::vector<std::string> texts = {"rowlock-share-0badcafe-3-1-4677746654050de4-8ea9790b",
                                          "rowlock-share-0badcafe-3-2-19e88c62e61c48a3-dc032fef",
                                          "rowlock-share-0badcafe-3-3-0cf79969db6b45b8-aaacfcdf",
                                          "rowlock-share-0badcafe-3-200-c7ccaca9f73c9b27-1e9faf77",
                                          "rowlock-share-0badcafe-3-255-56c495887a455958-2a4d78a3"};

  for (unsigned int mask = 0; mask < 32; ++mask) {
    if (bits_of(mask) != 3) continue;
    cr_expect(combine_shares(chosen(texts, mask)).view() == std::string_view("Shamir\0\xff", 8),
              "subset %x", mask);
  }
}

Test(crypto_shamir, a_share_reads_back_as_it_was_printed) {
  const std::vector<std::string> texts = split_secret(SecretBytes("secret"), 5, 3);
  const Share first = read_share(texts[0]).value();
  const auto last = read_share(" \t" + texts[4] + "\r\n");

  cr_expect(first.set.size() == 8 && first.threshold == 3 && first.x == 1);
  cr_assert(last.ok());
  cr_expect(last.value().set == first.set && last.value().x == 5);
  cr_expect_eq(last.value().bytes.size(), 6);
  cr_expect(read_share(split_secret(SecretBytes("secret"), 5, 3)[0]).value().set != first.set);
}

Test(crypto_shamir, any_mistyped_character_is_found) {
  const std::string text = split_secret(SecretBytes("secret"), 5, 3)[2];
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int c = 0; c < 256; ++c) {
      std::string typed = text;
      typed[at] = static_cast<char>(c);
      if (typed == text || (at + 1 == text.size() && std::isspace(c) != 0)) continue;
      cr_expect(!read_share(typed).ok(), "%s", typed.c_str());
    }
    cr_expect(!read_share(text.substr(0, at)).ok(), "cut off after %zu", at);
    cr_expect(!read_share(text.substr(0, at) + text.substr(at + 1)).ok(), "without %zu", at);
    cr_expect(!read_share(text.substr(0, at) + "0" + text.substr(at)).ok(), "longer at %zu", at);
    if (at > 0 && text[at] != text[at - 1]) {
      std::string typed = text;
      std::swap(typed[at], typed[at - 1]);
      cr_expect(!read_share(typed).ok(), "%s", typed.c_str());
    }
  }
}

Test(crypto_shamir, a_made_up_share_is_refused_with_a_reason) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "does not begin"},
      {"  \n", "does not begin"},
      {"AGE-SECRET-KEY-1QQQQ", "does not begin"},
      {"rowlock-share-", "wrong or missing"},
      {with_check("rowlock-share-"), "how many are needed"},
      {with_check("rowlock-share-0badcaf-3-1-00-"), "its set"},
      {with_check("rowlock-share-0badcafg-3-1-00-"), "its set"},
      {with_check("rowlock-share-0badcafe-0-1-00-"), "how many are needed"},
      {with_check("rowlock-share-0badcafe-256-1-00-"), "how many are needed"},
      {with_check("rowlock-share-0badcafe-03-1-00-"), "how many are needed"},
      {with_check("rowlock-share-0badcafe-3-0-00-"), "its number"},
      {with_check("rowlock-share-0badcafe-3-256-00-"), "its number"},
      {with_check("rowlock-share-0badcafe-3-99999999999-00-"), "its number"},
      {with_check("rowlock-share-0badcafe-3-1x-00-"), "its number"},
      {with_check("rowlock-share-0badcafe-3-1-0-"), "hexadecimal"},
      {with_check("rowlock-share-0badcafe-3-1-xx-"), "hexadecimal"},
      {with_check("rowlock-share-0badcafe-3-1-00-00-"), "too many"},
      {with_check("rowlock-share-0badcafe-3-1-"), "too few"},
  };
  for (const auto& [text, reason] : cases) {
    const auto share = read_share(text);
    cr_assert(!share.ok(), "%s", text.c_str());
    cr_expect(share.error().message.find(reason) != std::string::npos, "%s: %s", text.c_str(),
              share.error().message.c_str());
    cr_expect(!share.error().hint.empty());
  }
}

Test(crypto_shamir, too_few_shares_are_a_mistake_of_ours, .signal = SIGABRT) {
  (void)combine_shares(chosen(split_secret(SecretBytes("secret"), 5, 3), 3)).size();
}
