// By setrlimit(). What is started inherits the limit, which stays one that a program may count to;
// the proxy's own bound (fd-hard-limit) is in its configuration.
#include "controller/service/open_files.h"

#include "controller/adapters/http/curl_prober.h"
#include "controller/loop/workers.h"

#include <algorithm>
#include <sys/resource.h>

namespace rowlock {

namespace {

constexpr rlim_t kOfUse = 65536;
constexpr std::size_t kPartForProbes = 8;
constexpr std::size_t kPartForThreads = 16;

}  // namespace

OpenFiles OpenFiles::within(std::size_t limit) {
  return {limit, std::clamp<std::size_t>(limit / kPartForProbes, 1, CurlProber::kProbesMax),
          std::clamp<std::size_t>(limit / kPartForThreads, 1, Workers::kThreadsMax)};
}

OpenFiles raise_open_files() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return OpenFiles::within(OpenFiles::kAmple);
  }
  rlimit raised = limit;
  raised.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, kOfUse));
  if (raised.rlim_cur > limit.rlim_cur && ::setrlimit(RLIMIT_NOFILE, &raised) == 0) {
    limit = raised;
  }
  return OpenFiles::within(limit.rlim_cur);
}

}  // namespace rowlock
