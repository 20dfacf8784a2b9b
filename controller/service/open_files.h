// How many files this process may have open, and what of that each part may use.
#pragma once

#include <cstddef>

namespace rowlock {

// A probe holds one file, a worker two or three at times; the rest is for the databases, for those
// who ask over the socket, and for what is started.
struct OpenFiles {
  std::size_t limit;  // Of this process.
  std::size_t probes_max;
  std::size_t threads_max;

  static constexpr std::size_t kAmple = 4096;  // From here on nothing is smaller for want of them.

  static OpenFiles within(std::size_t limit);
};

// Raises the limit as far as this process may, and no further than is of use.
OpenFiles raise_open_files();

}  // namespace rowlock
