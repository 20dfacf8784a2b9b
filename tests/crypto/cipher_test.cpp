// A seal opens with the same key and the same binding, unaltered, and otherwise not.
#include "controller/crypto/cipher.h"

#include "controller/crypto/encoding.h"

#include <criterion/criterion.h>

using namespace rowlock;

namespace {

SecretBytes counting_key() {
  SecretBytes key(kKeyBytes);
  for (std::size_t i = 0; i < key.size(); ++i) key.data()[i] = static_cast<unsigned char>(i);
  return key;
}

}  // namespace

Test(crypto_cipher, what_was_sealed_opens_again) {
  const SecretBytes key = SecretBytes::random(kKeyBytes);
  for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 63U, 64U, 65U, 1000U, 100000U}) {
    const std::string plain = random_bytes(size);
    const std::string sealed = seal(key, plain, "job/web/env/PASSWORD");

    cr_expect_eq(sealed.size(), 24 + size + 16, "%zu", size);
    const auto opened = open_seal(key, sealed, "job/web/env/PASSWORD");
    cr_expect(opened.ok() && opened.value().view() == plain, "%zu", size);
  }
}

// draft-irtf-cfrg-xchacha-03, A.3.1.
Test(crypto_cipher, a_published_text_opens) {
  const std::string key = from_hex(
                              "808182838485868788898a8b8c8d8e8f"
                              "909192939495969798999a9b9c9d9e9f")
                              .value();
  const std::string sealed = from_hex(
                                 "404142434445464748494a4b4c4d4e4f5051525354555657"
                                 "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
                                 "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
                                 "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
                                 "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780a"
                                 "cf49")
                                 .value();

  const auto opened =
      open_seal(SecretBytes(key), sealed, from_hex("50515253c0c1c2c3c4c5c6c7").value());

  cr_assert(opened.ok());
  cr_expect(opened.value().view() ==
            "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
            "future, sunscreen would be it.");
}

Test(crypto_cipher, two_seals_of_the_same_text_differ) {
  const SecretBytes key = SecretBytes::random(kKeyBytes);

  cr_expect(seal(key, "password", "") != seal(key, "password", ""));
}

Test(crypto_cipher, a_flip_of_any_bit_is_refused) {
  const SecretBytes key = SecretBytes::random(kKeyBytes);
  const std::string sealed = seal(key, "correct horse", "bound");
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string altered = sealed;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << (bit % 8)));
    cr_expect(!open_seal(key, altered, "bound").ok(), "bit %zu", bit);
  }
}

Test(crypto_cipher, a_seal_that_was_cut_lengthened_or_moved_is_refused) {
  const SecretBytes key = SecretBytes::random(kKeyBytes);
  const std::string sealed = seal(key, "correct horse", "bound");

  for (std::size_t size = 0; size < sealed.size(); ++size) {
    cr_expect(!open_seal(key, sealed.substr(0, size), "bound").ok(), "%zu", size);
  }
  cr_expect(!open_seal(key, sealed + "x", "bound").ok());
  cr_expect(!open_seal(key, sealed, "").ok());
  cr_expect(!open_seal(key, sealed, "bounD").ok());
  cr_expect(!open_seal(key, sealed, "bound ").ok());
  cr_expect(!open_seal(SecretBytes::random(kKeyBytes), sealed, "bound").ok());
}

// FIPS 180-2, appendix B.
Test(crypto_cipher, sha256_is_that_of_the_standard) {
  cr_expect(to_hex(sha256("")) ==
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  cr_expect(to_hex(sha256("abc")) ==
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  cr_expect(to_hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

// Computed with Python's hmac over the same composition.
Test(crypto_cipher, a_keyed_hash_tells_parts_apart) {
  const SecretBytes key = counting_key();

  cr_expect(to_hex(keyed_hash(key, {})) ==
            "d38b42096d80f45f826b44a9d5607de72496a415d3f4a1a8c88e3bb9da8dc1cb");
  cr_expect(to_hex(keyed_hash(key, {"ab", "c"})) ==
            "b0c00b9c008947559cd4524980c14546efc123c1f72f20f7333f624bee6bc469");
  cr_expect(to_hex(keyed_hash(key, {"a", "bc"})) ==
            "c3c9c3696dc367b58a693eb7dfa40171f48959648a28e1eeaf0d6225de005f6d");
  const SecretBytes long_key(std::string(131, '\xaa'));
  cr_expect(
      to_hex(keyed_hash(long_key, {"Test Using Larger Than Block-Size Key - Hash Key First"})) ==
      "f76b227cd21a0e71625c7c25aaec494ed07144bf8fbad8b9cf0906b69799b050");
}

Test(crypto_cipher, random_bytes_are_as_many_as_asked_for) {
  cr_expect(random_bytes(0).empty());
  cr_expect_eq(random_bytes(33).size(), 33);
  cr_expect(random_bytes(32) != random_bytes(32));
}
