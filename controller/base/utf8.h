// UTF-8 at the borders: what comes in from files, engines and programs is not always text, and
// everything that is stored or shown must be.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rowlock {

// The length in bytes of the valid character at the start of `text`, 0 when there is none: overlong
// forms, surrogates and code points past U+10FFFF are not characters (RFC 3629). Requires: `text`
// is not empty.
std::size_t utf8_character_length(std::string_view text);

// The code point of one valid character.
char32_t utf8_code_point(std::string_view character);

// Whether a terminal may obey it instead of showing it: C0 and C1 controls and DEL, the marks that
// change the direction of what follows (Unicode Standard Annex #9), and the separators of lines and
// paragraphs.
bool moves_the_terminal(char32_t code_point);

// The offset of the first byte that is not part of a valid character, or npos when there is none.
std::size_t utf8_first_fault(std::string_view text);

// `text` with each byte that belongs to no character replaced by U+FFFD.
std::string utf8_sanitised(std::string_view text);

}  // namespace rowlock
