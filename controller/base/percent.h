// Text on its way into URLs and out of them.
// https://www.rfc-editor.org/rfc/rfc3986#section-2.1
#pragma once

#include <string>
#include <string_view>

namespace rowlock {

// `text` fit for one piece of a path or query; the characters in `keep` stay as they are.
std::string percent_encoded(std::string_view text, std::string_view keep = "");

// The other way round; a % that two hexadecimal digits do not follow stays as it is.
std::string percent_decoded_bytes(std::string_view encoded);

}  // namespace rowlock
