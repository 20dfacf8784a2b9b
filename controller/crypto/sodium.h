// The door to <sodium.h>. Hashes and codecs work as they are; before random numbers, guarded memory
// and ciphers it has to be started, or threads get into each other's way.
#pragma once

#include "controller/base/check.h"

#include <sodium.h>

#include <string>
#include <string_view>

namespace rowlock {

// Any thread may call it, any number of times.
inline void start_sodium() {
  static const bool is_started = sodium_init() >= 0;
  CHECK(is_started);  // It fails only on a machine without a source of randomness.
}

inline const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

inline unsigned char* bytes_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace rowlock
