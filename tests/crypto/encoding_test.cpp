// The vectors of RFC 4648, and texts that some decoders let through.
#include "controller/crypto/encoding.h"

#include "controller/crypto/cipher.h"

#include <criterion/criterion.h>

#include <vector>

using namespace rowlock;

namespace {

struct Vector {
  std::string bytes;
  std::string hex;
  std::string base64;
  std::string base64url;
};

const std::vector<Vector> kVectors = {
    {"", "", "", ""},
    {"f", "66", "Zg==", "Zg"},
    {"fo", "666f", "Zm8=", "Zm8"},
    {"foo", "666f6f", "Zm9v", "Zm9v"},
    {"foob", "666f6f62", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "666f6f6261", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "666f6f626172", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "fbfffe", "+//+", "-__-"},
    {std::string("\0", 1), "00", "AA==", "AA"},
};

}  // namespace

Test(crypto_encoding, bytes_are_printed_as_in_rfc_4648_and_read_back) {
  for (const Vector& vector : kVectors) {
    const char* name = vector.hex.c_str();
    cr_expect(to_hex(vector.bytes) == vector.hex, "%s", name);
    cr_expect(to_base64(vector.bytes) == vector.base64, "%s", name);
    cr_expect(to_base64url(vector.bytes) == vector.base64url, "%s", name);
    cr_expect(from_hex(vector.hex).value() == vector.bytes, "%s", name);
    cr_expect(from_base64(vector.base64).value() == vector.bytes, "%s", name);
    cr_expect(from_base64url(vector.base64url).value() == vector.bytes, "%s", name);
  }
  cr_expect(from_hex("AbCd").value() == "\xab\xcd");
}

Test(crypto_encoding, every_length_comes_back_whole) {
  for (std::size_t size = 0; size < 300; ++size) {
    const std::string bytes = random_bytes(size);
    cr_expect(from_hex(to_hex(bytes)).value() == bytes, "%zu", size);
    cr_expect(from_base64(to_base64(bytes)).value() == bytes, "%zu", size);
    cr_expect(from_base64url(to_base64url(bytes)).value() == bytes, "%zu", size);
  }
}

Test(crypto_encoding, text_that_is_not_well_formed_is_refused) {
  for (const char* text : {"6", "6g", "66 ", " 66", "0x66", "66\n", "6:6", "ä"}) {
    cr_expect(!from_hex(text).ok(), "'%s'", text);
  }
  // Without its padding, with too much, with spare bits set, with the other alphabet, with spaces.
  for (const char* text : {"Zg", "Zg=", "Zg===", "Zm9v=", "Zm9vYmE", "Zh==", "Zm9=", "-__-",
                           "Zg==\n", "Zm 9v", "Zg==Zg==", "=", "====", "Z", "Z===", "Zm9vä"}) {
    cr_expect(!from_base64(text).ok(), "'%s'", text);
  }
  for (const char* text :
       {"Zg==", "Zm8=", "Zh", "Zm9", "+//+", "Zg\n", "Zm 9v", "Z", "Zm9vZ", "Zg."}) {
    cr_expect(!from_base64url(text).ok(), "'%s'", text);
  }
  const std::string with_zero("Zm9v\0", 5);
  cr_expect(!from_base64(with_zero).ok());
  cr_expect(!from_base64url(with_zero).ok());
  cr_expect(!from_hex(std::string("66\0\0", 4)).ok());
}

// Of all texts for the same bytes just one is taken: the one that we would write.
Test(crypto_encoding, no_byte_is_taken_for_another) {
  for (std::size_t at = 0; at < 4; ++at) {
    for (int c = 0; c < 256; ++c) {
      std::string text = "AAAA";
      text[at] = static_cast<char>(c);
      const auto base64 = from_base64(text);
      cr_expect(!base64.ok() || to_base64(base64.value()) == text, "byte %d at %zu", c, at);
      const auto base64url = from_base64url(text);
      cr_expect(!base64url.ok() || to_base64url(base64url.value()) == text, "%d at %zu", c, at);
      const auto hex = from_hex(text);
      const bool is_upper = 'A' <= c && c <= 'F';
      std::string lower = "aaaa";
      lower[at] = static_cast<char>(is_upper ? c - 'A' + 'a' : c);
      cr_expect(!hex.ok() || to_hex(hex.value()) == lower, "%d at %zu", c, at);
    }
  }
}

Test(crypto_encoding, an_error_does_not_repeat_what_may_be_a_secret) {
  cr_expect(from_base64("hunter2!").error().message == "not base64");
  cr_expect(from_base64url("hunter2!").error().message == "not base64url");
  cr_expect(from_hex("hunter2!").error().message == "not hexadecimal");
}
