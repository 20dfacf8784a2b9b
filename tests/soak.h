// How long a test goes on that tries the same again and again: `make test` runs it for a while,
// which finds what breaks often, and `make soak` for hours, which finds what breaks seldom.
#pragma once

#include <cstdlib>

namespace rowlock {

// `brief`, or with ROWLOCK_TEST_SOAK=1 `whole`.
inline int soaked(int brief, int whole) {
  const char* const asked = std::getenv("ROWLOCK_TEST_SOAK");
  return asked != nullptr && *asked == '1' ? whole : brief;
}

}  // namespace rowlock
