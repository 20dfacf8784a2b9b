// Which Rowlock this is.
#pragma once

#include <string_view>

namespace rowlock {

// A semantic version, with the commit it was built from where that is known: "0.1.0+3f2a1c9".
std::string_view version();

}  // namespace rowlock
