// The launcher as a file of the home, from where it is mounted into containers.
#pragma once

#include "controller/base/result.h"

#include <string>
#include <string_view>

namespace rowlock {

// Its path, HOME/launch/launch-…, by its content: containers of an older Rowlock keep the one they
// were made with. Written first when it is not there or not whole. Broken, with what to do, when no
// program may run from there.
Result<std::string> launcher_file(const std::string& home, std::string_view program);

// The 64-bit FNV-1a hash as 16 hexadecimal digits. http://www.isthe.com/chongo/tech/comp/fnv/
std::string fnv_hex(std::string_view bytes);

}  // namespace rowlock
