// The hash of what comes piece by piece is that of the whole.
#include "controller/crypto/sha256.h"

#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"

#include <criterion/criterion.h>

using namespace rowlock;

Test(crypto_sha256, it_gives_the_published_answers) {
  Sha256 hash;

  cr_expect(to_hex(hash.finish()) ==
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  hash.add("abc");
  cr_expect(to_hex(hash.finish()) ==
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

Test(crypto_sha256, pieces_of_any_size_hash_as_the_whole_and_then_it_begins_anew) {
  const std::string text = random_bytes(10'000);
  Sha256 hash;
  for (const std::size_t step : {1U, 63U, 64U, 65U, 4096U, 10'000U}) {
    for (std::size_t at = 0; at < text.size(); at += step) hash.add(text.substr(at, step));
    cr_expect(hash.finish() == sha256(text), "steps of %zu", step);
  }
}
