// The program that gives a container its secret environment, carried inside the binary.
// launch.cpp is its source; tools/embed_launcher writes its bytes to build/MODE/gen/launcher.cpp.
#pragma once

#include <string_view>

namespace rowlock {

// A static program for this machine's architecture. It lives as long as this one.
std::string_view embedded_launcher();

}  // namespace rowlock
