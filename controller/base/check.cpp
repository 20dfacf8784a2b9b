// One line to stderr without the logger, which may be what is broken; then abort, which leaves a
// core.
#include "controller/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace rowlock {

void check_failed(const char* file, int line, const char* what) {
  std::fprintf(stderr, "rowlock: internal error at %s:%d: %s\n", file, line, what);
  std::abort();
}

}  // namespace rowlock
