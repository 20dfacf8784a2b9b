// Bytes as printable text and back. What is read must be well-formed to the last character.
#pragma once

#include "controller/base/result.h"

#include <string>
#include <string_view>

namespace rowlock {

std::string to_hex(std::string_view bytes);              // Lower case.
Result<std::string> from_hex(std::string_view text);     // Either case.
std::string to_base64(std::string_view bytes);           // RFC 4648 section 4, with padding.
Result<std::string> from_base64(std::string_view text);  // Padded.
std::string to_base64url(std::string_view bytes);        // Section 5, without padding.
Result<std::string> from_base64url(std::string_view text);

}  // namespace rowlock
