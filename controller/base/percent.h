// Percent-encoding: text on its way into URLs and out of them.
// https://www.rfc-editor.org/rfc/rfc3986#section-2.1
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rowlock {

// `text` fit for one piece of a path or query: all but letters, digits, "-._~" and the characters
// in `keep` is encoded.
std::string percent_encoded(std::string_view text, std::string_view keep = "");

// The text that was meant. Nothing when a % is not followed by two hexadecimal digits, and when
// what comes out has a NUL in it or is not UTF-8: names are text, and much that reads them would
// end at a NUL.
std::optional<std::string> percent_decoded(std::string_view encoded);

// The bytes that were meant; a % that two hexadecimal digits do not follow stays as it is.
std::string percent_decoded_bytes(std::string_view encoded);

}  // namespace rowlock
