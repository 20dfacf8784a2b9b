// What each part may use of the files that this process may have open.
#include "controller/service/open_files.h"

#include "controller/adapters/http/curl_prober.h"
#include "controller/loop/workers.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <sys/resource.h>

using namespace rowlock;

Test(open_files, the_bounds_stay_below_the_limit_with_head_room) {
  for (const std::size_t limit : {64, 256, 1024, 4096, 65536}) {
    const OpenFiles files = OpenFiles::within(limit);
    const std::size_t held = files.probes_max + 3 * files.threads_max;

    cr_expect_leq(held, limit / 2, "%zu of %zu", held, limit);
    cr_expect(files.probes_max >= 1 && files.threads_max >= 1);
  }
  cr_expect_eq(OpenFiles::within(OpenFiles::kAmple).probes_max, CurlProber::kProbesMax);
  cr_expect_eq(OpenFiles::within(OpenFiles::kAmple).threads_max, Workers::kThreadsMax);
  cr_expect(OpenFiles::within(0).probes_max == 1 && OpenFiles::within(0).threads_max == 1);
}

Test(open_files, the_limit_is_raised_to_what_this_process_may_have) {
  rlimit before = {};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit few = before;
  few.rlim_cur = 256;
  ::setrlimit(RLIMIT_NOFILE, &few);

  const OpenFiles files = raise_open_files();

  rlimit after = {};
  ::getrlimit(RLIMIT_NOFILE, &after);
  cr_expect_eq(files.limit, after.rlim_cur);
  cr_expect_eq(after.rlim_cur, std::min<rlim_t>(before.rlim_max, 65536));
}
