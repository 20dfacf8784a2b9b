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

// The offset of the first byte that is not part of a valid character, or npos when there is none.
std::size_t utf8_first_fault(std::string_view text);

// `text` with each byte that belongs to no character replaced by U+FFFD.
std::string utf8_sanitised(std::string_view text);

}  // namespace rowlock
