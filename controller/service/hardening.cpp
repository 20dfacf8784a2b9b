// By prctl() and setrlimit(). A kernel that refuses is no reason not to run.
#include "controller/service/hardening.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace rowlock {

void keep_memory_private() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace rowlock
