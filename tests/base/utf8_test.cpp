// The malformed bytes that decoders get wrong.
#include "controller/base/utf8.h"

#include <criterion/criterion.h>

using rowlock::utf8_sanitised;

Test(utf8, bytes_that_are_not_utf8_are_replaced_one_by_one) {
  struct Case {
    std::string_view bytes;
    std::string_view valid;
  };
  const Case cases[] = {{"", ""},
                        {"plain", "plain"},
                        {"größe 日本 🚣", "größe 日本 🚣"},
                        {"a\xFFz", "a\uFFFDz"},
                        {"cut \xE6\x97", "cut \uFFFD\uFFFD"},
                        {"\xC0\xAF", "\uFFFD\uFFFD"},                      // An overlong slash.
                        {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},            // A surrogate.
                        {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},  // Beyond U+10FFFF.
                        {std::string_view("a\0b", 3), std::string_view("a\0b", 3)}};
  for (const Case& each : cases) {
    const std::string valid = utf8_sanitised(each.bytes);
    cr_expect(valid == each.valid, "%s, not %s", valid.c_str(), each.valid.data());
    cr_expect(utf8_sanitised(valid) == valid);
  }
}

Test(utf8, a_character_is_one_code_point) {
  for (const auto& [character, code] : std::vector<std::pair<std::string, char32_t>>{
           {std::string(1, '\0'), 0}, {"a", 0x61}, {"é", 0xe9}, {"€", 0x20ac}, {"🚣", 0x1f6a3}}) {
    cr_expect(rowlock::utf8_code_point(character) == code, "%s", character.c_str());
  }
}
