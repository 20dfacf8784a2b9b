// The vectors of BIP 173, as far as they are not longer or shorter than ours may be.
#include "controller/crypto/bech32.h"

#include "controller/crypto/encoding.h"

#include <criterion/criterion.h>

using namespace rowlock;

Test(crypto_bech32, well_formed_texts_are_read) {
  cr_expect(from_bech32("A12UEL5L").value().name == "A");
  cr_expect(from_bech32("a12uel5l").value().bytes.empty());
  cr_expect(
      from_bech32("an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharac"
                  "tersbio1tt5tgs")
          .value()
          .bytes.empty());
  const auto counted = from_bech32("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw");
  cr_assert(counted.ok());
  cr_expect(to_hex(counted.value().bytes.view()) == "00443214c74254b635cf84653a56d7c675be77df");
}

Test(crypto_bech32, malformed_texts_are_refused) {
  for (const char* text :
       {"", "1", "pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "de1lg7wt\xff",
        "A1G7SGD8", "10a06t8", "1qzzfhee",
        "\x20"
        "1nwldj5",
        "\x7f"
        "1axkwrx",
        "\x80"
        "1eym55h",
        "A12uel5l", "a12uel5m", "a12uel5", "a12uel5l ",
        // A good checksum, but a spare bit that is set, and a whole digit to spare.
        "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqpfwgqrs", "age1qdd35qf"}) {
    cr_expect(!from_bech32(text).ok(), "'%s'", text);
  }
  cr_expect(from_bech32("age1qqpexly5").value().bytes.view() == std::string_view("\0", 1));
  cr_expect(!from_bech32(std::string(5000, 'q')).ok());
}

Test(crypto_bech32, a_mistyped_character_is_found) {
  const std::string text = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
  cr_assert(from_bech32(text).ok());
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int c = 0; c < 128; ++c) {
      std::string typed = text;
      typed[at] = static_cast<char>(c);
      if (typed != text) cr_expect(!from_bech32(typed).ok(), "%s", typed.c_str());
    }
  }
}
