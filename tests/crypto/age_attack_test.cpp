// Age files that were altered, cut off, or made up by somebody who knows the file key: each is
// refused, and nothing of it is given out that was not authenticated.
#include "controller/crypto/age.h"
#include "controller/crypto/age_header.h"
#include "controller/crypto/age_x25519.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/hkdf.h"

#include <criterion/criterion.h>
#include <sodium.h>

using namespace rowlock;

namespace {

constexpr std::size_t kChunk = 65536;
constexpr std::size_t kSealedChunk = kChunk + 16;
const std::string kIdentity =
    "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const std::string kRecipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
const std::string kFileKey = "YELLOW SUBMARINE";
const std::string kNonce(16, 'n');

bool opens(const std::string& file) { return age_decrypt(SecretBytes(kIdentity), file).ok(); }

std::string message_of(const std::string& file) {
  const auto opened = age_decrypt(SecretBytes(kIdentity), file);
  return opened.ok() ? "opened" : opened.error().message;
}

AgeStanza ours() {
  return wrapped_for(read_age_recipient(kRecipient).value(), SecretBytes(kFileKey));
}

// A header of our own making, with the MAC that belongs to it.
std::string forged(const std::string& stanzas) {
  const std::string text = "age-encryption.org/v1\n" + stanzas + "---";
  const SecretBytes key = hkdf_sha256(kFileKey, "", "header", 32);
  std::string mac = to_base64(hmac_sha256(key.view(), text).view());
  mac.pop_back();
  return text + " " + mac + "\n";
}

std::string chunk(unsigned char number, bool is_last, const std::string& plain) {
  const SecretBytes key = hkdf_sha256(kFileKey, kNonce, "payload", 32);
  const unsigned char nonce[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number, is_last};
  std::string sealed(plain.size() + 16, '\0');
  crypto_aead_chacha20poly1305_ietf_encrypt(reinterpret_cast<unsigned char*>(sealed.data()),
                                            nullptr,
                                            reinterpret_cast<const unsigned char*>(plain.data()),
                                            plain.size(), nullptr, 0, nullptr, nonce, key.data());
  return sealed;
}

const std::string& payload() {
  static const std::string made = kNonce + chunk(0, true, "plain");
  return made;
}

// Our stanza as it is printed.
std::string stanza_text() {
  const std::string header = age_header({ours()}, kFileKey);
  const std::size_t began = header.find('\n') + 1;
  return header.substr(began, header.find("---") - began);
}

std::string sealed_with(const std::vector<AgeStanza>& stanzas) {
  return age_header(stanzas, kFileKey) + payload();
}

}  // namespace

Test(crypto_age_attack, the_forge_of_this_test_makes_files_that_open) {
  cr_expect(opens(sealed_with({ours()})));
  cr_expect(opens(forged(stanza_text()) + payload()));
  cr_expect(opens(age_header({ours()}, kFileKey) + kNonce + chunk(0, true, "")));
}

Test(crypto_age_attack, a_flip_of_any_bit_is_refused) {
  const std::string file = age_encrypt({kRecipient}, "correct horse").value();
  for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
    std::string altered = file;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << (bit % 8)));
    cr_expect(!opens(altered), "bit %zu", bit);
  }
}

Test(crypto_age_attack, a_file_cut_off_anywhere_is_refused) {
  const std::string file = age_encrypt({kRecipient}, "correct horse").value();
  for (std::size_t size = 0; size < file.size(); ++size) {
    cr_expect(!opens(file.substr(0, size)), "%zu", size);
  }
  cr_expect(!opens(file + "x") && !opens(file + file));
}

Test(crypto_age_attack, a_long_file_cut_off_or_altered_near_an_edge_is_refused) {
  const std::string file = age_encrypt({kRecipient}, random_bytes(3 * kChunk)).value();
  const std::size_t began = file.size() - 3 * kSealedChunk;
  for (std::size_t edge = began; edge <= file.size(); edge += kSealedChunk) {
    for (const std::size_t at : {edge - 17, edge - 16, edge - 1, edge, edge + 1, edge + 16}) {
      if (at >= file.size()) continue;
      cr_expect(!opens(file.substr(0, at)), "%zu", at);
      std::string altered = file;
      altered[at] = static_cast<char>(altered[at] ^ 1);
      cr_expect(!opens(altered), "%zu", at);
      cr_expect(!opens(file.substr(0, at) + "x" + file.substr(at)), "%zu", at);
    }
  }
}

Test(crypto_age_attack, chunks_have_one_order_and_one_end) {
  const std::string header = age_header({ours()}, kFileKey);
  const std::string full(kChunk, 'a');
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"no nonce", ""},
      {"a short nonce", kNonce.substr(1)},
      {"no chunk", kNonce},
      {"a chunk without its tag", kNonce + "plain"},
      {"a chunk that is not the last", kNonce + chunk(0, false, "plain")},
      {"a full chunk that is not the last", kNonce + chunk(0, false, full)},
      {"two that are not", kNonce + chunk(0, false, full) + chunk(1, false, "plain")},
      {"an empty last chunk", kNonce + chunk(0, false, full) + chunk(1, true, "")},
      {"two last chunks", kNonce + chunk(0, true, "plain") + chunk(1, true, "plain")},
      {"two full last chunks", kNonce + chunk(0, true, full) + chunk(1, true, full)},
      {"a short chunk before another", kNonce + chunk(0, false, "plain") + chunk(1, true, "plain")},
      {"two changed about", kNonce + chunk(1, false, full) + chunk(0, false, full)},
      {"one twice", kNonce + chunk(0, false, full) + chunk(0, true, full)},
      {"one left out", kNonce + chunk(0, false, full) + chunk(2, true, full)},
      {"one too large", kNonce + chunk(0, true, full + "a")},
      {"something after the end", kNonce + chunk(0, true, full) + "x"},
      {"much after the end", kNonce + chunk(0, true, full) + full + full},
  };
  for (const auto& [name, rest] : refused) cr_expect(!opens(header + rest), "%s", name.c_str());
  cr_expect(opens(header + kNonce + chunk(0, true, full)));
  cr_expect(opens(header + kNonce + chunk(0, false, full) + chunk(1, true, full)));
  cr_expect(opens(header + kNonce + chunk(0, false, full) + chunk(1, true, "a")));
}

Test(crypto_age_attack, a_reader_that_has_failed_gives_nothing_more) {
  const std::string header = age_header({ours()}, kFileKey);
  const std::string full(kChunk, 'a');
  std::size_t used = 0;
  auto opened = AgeReader::open(SecretBytes(kIdentity), header, used);
  cr_assert(opened.ok());
  cr_expect_eq(used, header.size());
  AgeReader reader = std::move(opened).value();

  // The first chunk is the last, with something after it: were the error ignored, finish() could
  // take it for the end.
  const auto read = reader.read(kNonce + chunk(0, true, full) + "x");
  cr_expect(!read.ok());
  cr_expect(!reader.read("").ok());
  cr_expect(!reader.finish().ok());
}

Test(crypto_age_attack, a_good_chunk_before_a_bad_one_is_given_out_alone) {
  const std::string header = age_header({ours()}, kFileKey);
  const std::string full(kChunk, 'a');
  std::size_t used = 0;
  auto opened = AgeReader::open(SecretBytes(kIdentity), header, used);
  cr_assert(opened.ok());
  AgeReader reader = std::move(opened).value();

  const std::string first = chunk(0, false, full);
  cr_expect(reader.read(kNonce + first).value().empty(), "it could still be the last");
  cr_expect(reader.read("x").value() == full);
  cr_expect(!reader.read(first).ok());
}

Test(crypto_age_attack, stanzas_of_other_types_are_passed_over) {
  const AgeStanza ssh = {{"ssh-ed25519", "abcd1234", "c2hhcmU"}, std::string(32, 's')};
  const AgeStanza empty = {{"x!~-grease", "a", "b"}, ""};
  const AgeStanza full_line = {{"full"}, std::string(48, 'f')};
  const AgeStanza lines = {{"mlkem768x25519", "x"}, std::string(1100, 'l')};

  cr_expect(opens(sealed_with({ssh, ours(), empty})));
  cr_expect(opens(sealed_with({full_line, lines, empty, ours()})));
  cr_expect(message_of(sealed_with({ssh})) ==
            "the age file is for recipients of another kind than age1…");
}

Test(crypto_age_attack, a_passphrase_is_named_and_stands_alone) {
  const AgeStanza scrypt = {{"scrypt", "c2FsdHNhbHRzYWx0c2FsdA", "18"}, std::string(32, 's')};

  cr_expect(message_of(sealed_with({scrypt})) ==
            "the age file is encrypted with a passphrase, not for a recipient");
  cr_expect(message_of(sealed_with({scrypt, ours()})) ==
            "not an age file: a passphrase is not its only recipient");
  cr_expect(!opens(sealed_with({ours(), scrypt})));
}

Test(crypto_age_attack, a_malformed_stanza_of_our_type_is_refused) {
  const AgeStanza good = ours();
  const std::string point = from_base64(good.arguments[1] + "=").value();
  const auto with = [&](const std::vector<std::string>& arguments, const std::string& body) {
    return message_of(sealed_with({{arguments, body}}));
  };
  const std::string malformed = "not an age file: a recipient of type X25519 is malformed";
  const auto unpadded = [](const std::string& bytes) {
    const std::string text = to_base64(bytes);
    return text.substr(0, text.find('='));
  };

  cr_expect(with(good.arguments, good.body) == "opened");
  cr_expect(with({"X25519"}, good.body) == malformed);
  cr_expect(with({"X25519", good.arguments[1], "more"}, good.body) == malformed);
  cr_expect(with({"X25519", good.arguments[1] + "="}, good.body) == malformed);
  cr_expect(with({"X25519", unpadded(point.substr(1))}, good.body) == malformed);
  cr_expect(with({"X25519", unpadded(point + "x")}, good.body) == malformed);
  cr_expect(with({"X25519", unpadded(std::string(32, '\0'))}, good.body) == malformed);
  cr_expect(with(good.arguments, good.body.substr(1)) == malformed);
  cr_expect(with(good.arguments, good.body + "x") == malformed);
  cr_expect(with({"x25519", good.arguments[1]}, good.body) ==
            "the age file is for recipients of another kind than age1…");
}

Test(crypto_age_attack, a_header_is_taken_in_one_writing_only) {
  const std::string ours_text = stanza_text();
  const std::string line = "-> t\n";
  const std::vector<std::string> malformed = {
      forged(""),
      forged("x" + ours_text),
      forged("\n" + ours_text),
      forged(ours_text + "\n"),
      forged(ours_text + "->\n\n"),
      forged(ours_text + "-> \n\n"),
      forged(ours_text + "->t\n\n"),
      forged(ours_text + "-> t  u\n\n"),
      forged(ours_text + "-> t \n\n"),
      forged(ours_text + "-> ü\n\n"),
      forged(ours_text + "-> t\r\n\n"),
      forged(ours_text + line),
      forged(ours_text + line + std::string(64, 'A') + "\n"),
      forged(ours_text + line + std::string(65, 'A') + "\n\n"),
      forged(ours_text + line + std::string(68, 'A') + "\n"),
      forged(ours_text + line + "AAAA\nAAAA\n"),
      forged(ours_text + line + "AB\n"),
      forged(ours_text + line + "AA==\n"),
      forged(ours_text + line + "A\n"),
      forged(ours_text + line + "A A\n"),
      forged(ours_text + line + "-_\n"),
      forged(ours_text + line + "\r\n"),
  };
  for (const std::string& header : malformed) {
    cr_expect(message_of(header + payload()).rfind("not an age file: ", 0) == 0, "%s",
              header.c_str());
  }
  cr_expect(opens(forged(ours_text + line + std::string(64, 'A') + "\n\n") + payload()));
}

Test(crypto_age_attack, the_first_and_the_last_line_are_as_they_must_be) {
  const std::string header = forged(stanza_text());
  const std::string rest = header.substr(header.find('\n'));
  const std::string before = header.substr(0, header.size() - 1);
  const std::size_t mac = header.find("--- ") + 4;
  std::string spare_bits = header;
  char& last = spare_bits[spare_bits.size() - 2];
  last = last == 'A' ? 'B' : static_cast<char>(last + 1);
  for (const std::string& altered :
       {"age-encryption.org/v2" + rest, "age-encryption.org/v1\r" + rest,
        "AGE-encryption.org/v1" + rest, " age-encryption.org/v1" + rest, before + " \n",
        before + "=\n", before + "\r\n", before.substr(0, before.size() - 1) + "\n",
        header.substr(0, mac - 1) + "\n", header.substr(0, mac - 1) + header.substr(mac),
        header.substr(0, mac) + " " + header.substr(mac), header.substr(0, mac) + "\n",
        spare_bits}) {
    cr_expect(!opens(altered + payload()), "%s", altered.c_str());
  }
  cr_expect(message_of("-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n").find("armored") !=
            std::string::npos);
}

Test(crypto_age_attack, a_header_with_another_mac_is_refused) {
  const std::string other = age_header({ours()}, "another file key");

  cr_expect(message_of(other + payload()) == "age file: its header was altered");
}

Test(crypto_age_attack, an_endless_header_is_refused) {
  std::string stanzas = stanza_text();
  while (stanzas.size() < kAgeHeaderBytesMax) stanzas += "-> t\n" + std::string(63, 'A') + "\n";

  cr_expect(message_of(forged(stanzas) + payload()) ==
            "not an age file: its header is cut off or too long");
  const std::string one_line(10'000'000, 'a');
  cr_expect(!opens(one_line));
  cr_expect(!opens("age-encryption.org/v1\n-> " + one_line));
}
