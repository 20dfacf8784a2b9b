// Programs run to their end or their deadline.
#include "controller/adapters/process/command.h"

#include <criterion/criterion.h>

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <string>
#include <unistd.h>

using namespace rowlock;

Test(command, its_output_and_exit_code_come_back) {
  const auto ran = run_command({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}, 10'000);
  cr_assert(ran.ok());
  cr_expect(ran.value().exit_code == 3);
  cr_expect(ran.value().output == "out\nerr\n", "%s", ran.value().output.c_str());
  cr_expect(run_command({"/bin/sh", "-c", "kill -9 $$"}, 10'000).value().exit_code == 137);
  cr_expect(run_command({"/no/such/program"}, 10'000).error().cause == Cause::not_found);
}

Test(command, it_is_killed_with_its_children_at_the_deadline, .timeout = 20) {
  const auto begun = std::chrono::steady_clock::now();
  const auto ran = run_command({"/bin/sh", "-c", "sleep 60 & sleep 60"}, 200);
  cr_assert(!ran.ok());
  cr_expect(ran.error().cause == Cause::deadline);
  cr_expect(std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
}

Test(command, a_daemon_that_keeps_the_pipe_is_not_waited_for, .timeout = 20) {
  const auto begun = std::chrono::steady_clock::now();
  const auto ran = run_command({"/bin/sh", "-c", "sleep 15 & echo begun"}, 10'000);
  cr_assert(ran.ok());
  cr_expect(ran.value().output == "begun\n");
  cr_expect(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
}

Test(command, endless_output_is_bounded_and_the_last_of_it_kept, .timeout = 20) {
  const auto ran = run_command({"/bin/sh", "-c", "yes | head -c 3000000; echo end"}, 10'000);
  cr_assert(ran.ok());
  cr_expect(ran.value().output.size() <= 64 * 1024);
  cr_expect(ran.value().output.rfind("end\n") == ran.value().output.size() - 4);
}

Test(command, nothing_of_ours_is_inherited) {
  const int open_on_purpose = ::open("/dev/null", O_RDONLY);  // Without O_CLOEXEC.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  const auto ran =
      run_command({"/bin/sh", "-c",
                   "test -e /proc/self/fd/" + std::to_string(open_on_purpose) +
                       " && echo leaked; grep -E '^SigBlk' /proc/self/status | tr -d '\\n\\t'"},
                  10'000);
  ::close(open_on_purpose);
  cr_assert(ran.ok());
  cr_expect(ran.value().output == "SigBlk:0000000000000000", "%s", ran.value().output.c_str());
}
