// What the claims of a verified token must say before it is believed (RFC 7519 section 4.1, and the
// column trust.claims).
#pragma once

#include "controller/base/json.h"
#include "controller/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace rowlock {

// Clocks that differ so much do not make a token come from the future. It still ends on time.
constexpr std::int64_t kClockSkewS = 60;

// iss is the issuer, aud is or holds the audience, exp is to come, nbf and iat have passed if they
// are there. Rejected with a sentence that names the claim.
Result<> check_registered_claims(const Json& claims, std::string_view issuer,
                                 std::string_view audience, std::int64_t now_ms);

// Every member of `wanted` holds: its name is a claim's, or a JSON pointer (RFC 6901) into all of
// them; its value, or one of them when it is a list, is what the claim says, or one of what it
// says. '*' in a wanted value stands for any characters.
Result<> check_wanted_claims(const Json& claims, const Json& wanted);

// Whether `text` is as `pattern` says, in which '*' stands for any characters.
bool fits_pattern(std::string_view text, std::string_view pattern);

}  // namespace rowlock
