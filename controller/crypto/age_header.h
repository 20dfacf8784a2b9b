// The head of an age file, which is text: a line with the version, for each recipient a stanza that
// holds the file key in a form which only he can read, and a line with the MAC over all that.
//
//   age-encryption.org/v1
//   -> X25519 SVrzdFfkPxf0LPHOUGB1gNb9E5Vr8EUDa9kxk04iQ0o
//   0OrTkKHpE7klNLd0k+9Uam5hkQkzMxaqKcIPRIO1sNE
//   --- gxhoSa5BciRDt8lOpYNcx4EYtKpS0CJ06F3ZwN82VaM
#pragma once

#include "controller/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

constexpr std::size_t kAgeHeaderBytesMax = 64 * 1024;
constexpr std::size_t kAgeKeyBytes = 16;  // A file key.

struct AgeStanza {
  std::vector<std::string> arguments;  // The first is the type; at least that one.
  std::string body;                    // Decoded.
};

struct AgeHeader {
  std::vector<AgeStanza> stanzas;  // At least one.
  std::string_view covered;        // What the MAC is over: up to and with the three dashes.
  std::string mac;
  std::size_t size = 0;  // Of the whole header.
};

// Views into `text`, which may go on after the header. Rejected when it does not begin with one
// that is well-formed and within kAgeHeaderBytesMax.
Result<AgeHeader> read_age_header(std::string_view text);

// The header of these stanzas, with the MAC that the file key gives.
std::string age_header(const std::vector<AgeStanza>& stanzas, std::string_view file_key);

// The header was made by somebody who knew the file key, and is unaltered.
bool is_authentic(const AgeHeader& header, std::string_view file_key);

}  // namespace rowlock
