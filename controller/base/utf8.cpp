// The standard's own table of valid sequences, walked row by row: what is in no row is no
// character.
#include "controller/base/utf8.h"

namespace rowlock {

namespace {

// What may follow a first byte: how many bytes in all, and the range of the second one, which is
// where overlong forms and surrogates show. Table 3-7 of the Unicode Standard.
struct Form {
  unsigned char first_min, first_max, second_min, second_max;
  std::size_t length;
};

constexpr Form kForms[] = {
    {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

unsigned char byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

bool matches(const Form& form, std::string_view text) {
  const unsigned char first = byte_at(text, 0);
  if (first < form.first_min || first > form.first_max || text.size() < form.length) return false;
  if (form.length == 1) return true;
  const unsigned char second = byte_at(text, 1);
  if (second < form.second_min || second > form.second_max) return false;
  for (std::size_t i = 2; i < form.length; ++i) {
    if ((byte_at(text, i) & 0xc0) != 0x80) return false;
  }
  return true;
}

}  // namespace

std::size_t utf8_character_length(std::string_view text) {
  if (byte_at(text, 0) < 0x80) return 1;
  for (const Form& form : kForms) {
    if (matches(form, text)) return form.length;
  }
  return 0;
}

char32_t utf8_code_point(std::string_view character) {
  constexpr unsigned char kBitsOfFirst[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  char32_t code = byte_at(character, 0) & kBitsOfFirst[character.size()];
  for (std::size_t i = 1; i < character.size(); ++i) {
    code = code << 6 | (byte_at(character, i) & 0x3f);
  }
  return code;
}

bool moves_the_terminal(char32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) || code_point == 0x061c ||
         code_point == 0x200e || code_point == 0x200f ||
         (code_point >= 0x2028 && code_point <= 0x202e) ||
         (code_point >= 0x2066 && code_point <= 0x2069);
}

std::size_t utf8_first_fault(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_character_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

std::string utf8_sanitised(std::string_view text) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_character_length(text);
    result += length == 0 ? kReplacement : text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
}

}  // namespace rowlock
