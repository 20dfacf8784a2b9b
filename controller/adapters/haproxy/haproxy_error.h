// Errors as the proxy's adapter words them.
#pragma once

#include "controller/base/result.h"

#include <string>

namespace rowlock {

// The error with what was attempted before it.
Error with_attempt(const std::string& attempt, Error error);

// What runs has no such `what`.
Error not_there(const std::string& attempt, const std::string& what);

// What HAProxy said, as one line that is valid UTF-8; empty when it had nothing to say.
std::string in_one_line(const std::string& answer);

}  // namespace rowlock
