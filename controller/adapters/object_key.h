// Which keys an object may have: such as mean the same in a bucket, as a file's path and in a URL,
// and never lead out of the folder or prefix that they are below.
#pragma once

#include "controller/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace rowlock {

constexpr std::size_t kKeyBytesMax = 512;
constexpr std::size_t kKeyPartBytesMax =
    120;  // Between slashes: a file's name, with room to spare.

// Whether it is parts of a-z, A-Z, 0-9, '.', '_' and '-' with a slash between each two, none of
// them "." or "..", and none that begins with ".rowlock-", as what is tried out in a store does.
bool is_key(std::string_view text);

// Rejected when it is none.
Result<> check_key(const std::string& key);

// The beginning of a key; empty: of any.
Result<> check_key_prefix(const std::string& prefix);

}  // namespace rowlock
