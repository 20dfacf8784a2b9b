// Percent-encoding undone, as paths and queries of URLs need it.
// https://www.rfc-editor.org/rfc/rfc3986#section-2.1
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rowlock {

// The text that was meant. Nothing when a % is not followed by two hexadecimal digits, and when
// what comes out has a NUL in it or is not UTF-8: names are text, and much that reads them would
// end at a NUL.
std::optional<std::string> percent_decoded(std::string_view encoded);

}  // namespace rowlock
