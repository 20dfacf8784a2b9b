// Backups that a server refuses a part of: with an exception they are verified, and it is said.
#include "tests/schema/backups/backed_world.h"

using namespace rowlock;

namespace {

std::string event_of(Backed& world, const std::string& what) {
  return world.text("SELECT detail FROM event WHERE kind = 'backup' AND what = '" + what +
                    "' ORDER BY id DESC LIMIT 1");
}

int verifications(const Backed& world) {
  int count = 0;
  for (const std::string& call : world.fake_dumps.calls()) {
    count += call.starts_with("restore ") && call.find("_verify_") != std::string::npos;
  }
  return count;
}

}  // namespace

Test(backup_exception, what_is_refused_is_verified_once_somebody_says_that_it_is_known) {
  Backed world;
  world.fake_dumps.set_refused("public.mark");
  world.run_policy();
  expect_is("stored", world.states());
  expect_is("failed", world.status());
  expect_in("the server refuses TABLE public.mark", world.detail());

  // It is not downloaded again and again for that.
  world.wait_out();
  world.wait_out();
  cr_expect_eq(verifications(world), 1);

  world.edit("INSERT INTO backup_exception VALUES ('nightly', 'public.mark', 'only there')");
  world.settle();
  expect_is("verified", world.states());
  expect_in("last verified 0 s ago with 1 known exception, 1 kept", world.detail());
  expect_in("with 1 known exception", event_of(world, "verified"));
  expect_in("was verified without TABLE public.mark: a function does not exist",
            world.text("SELECT reason FROM why WHERE name = 'nightly'"));
}

Test(backup_exception, what_was_not_needed_is_said) {
  Backed world;
  world.insert_policy();
  world.sql("INSERT INTO backup_exception VALUES ('nightly', 'public.mark', 'only there')");
  world.settle();
  expect_is("verified", world.states());
  expect_in("(1 not needed)", world.detail());
  expect_in("the exception public.mark was not needed",
            world.text("SELECT reason FROM why WHERE name = 'nightly'"));
}

Test(backup_exception, what_nobody_knows_of_is_not_excused_by_another) {
  Backed world;
  world.fake_dumps.set_refused("public.mark");
  world.insert_policy();
  world.sql("INSERT INTO backup_exception VALUES ('nightly', 'public.pupil', 'only there')");
  world.settle();
  expect_is("stored", world.states());
  expect_in("the server refuses TABLE public.mark", world.detail());
}
