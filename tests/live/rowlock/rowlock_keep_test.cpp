// Edits that would take a route down, under load: nobody who asks notices them.
#include "tests/live/haproxy/http_load.h"
#include "tests/live/rowlock/routed_home.h"

#include <criterion/criterion.h>

#include <string>

using namespace rowlock;
using namespace rowlock_live;

Test(live_rowlock_keep, no_request_fails_through_a_rename_a_move_and_wrong_checks, .timeout = 400) {
  LiveHome home;
  home.start_and_reach();
  const int port = route_two_apps(home);
  await_served(home);

  HttpLoad load("127.0.0.1", port, "site.example.org", 6);
  const auto nothing_failed = [&](const std::string& after) {
    require(load.failed() == 0, after + ": " + std::to_string(load.failed()) + " of " +
                                    std::to_string(load.requests()) + " failed, first: " +
                                    load.first_failure() + "\n" + home.story());
  };
  home.accept("UPDATE job SET name = 'shop' WHERE name = 'app'");
  await_served(home, "shop");
  nothing_failed("the rename");

  home.accept("BEGIN; " + insert_app("next", 2) +
              "UPDATE route SET job = 'next'; DELETE FROM job WHERE name = 'shop'; COMMIT;");
  await_served(home, "next");
  home.await("SELECT count(*) FROM instance WHERE job = 'shop' AND run = 1", "0");
  nothing_failed("the move");

  home.accept(
      "BEGIN; UPDATE job_check SET type = 'exec', command = '[\"false\"]' WHERE job = 'next';"
      "INSERT INTO job_check (job, name, type, command, interval_ms, failures) VALUES ('next', "
      "'wrong', 'exec', '[\"false\"]', 200, 1); COMMIT;");
  home.await_why("next", "has not passed it as it is now: ");
  home.await_why("next", "it is new: nothing follows from it until an instance has passed it");
  home.accept(
      "BEGIN; UPDATE job_check SET type = 'http' WHERE job = 'next' AND name = 'ready';"
      "DELETE FROM job_check WHERE name = 'wrong'; COMMIT;");
  await_served(home, "next");
  nothing_failed("two wrong checks");
  require(home.state("SELECT count(*) FROM instance WHERE job = 'next' AND run = 0") == "0",
          "a check that nobody ever passed took an instance: " + home.story());

  home.accept(
      "INSERT INTO job_check (job, name, type, command, interval_ms, failures) VALUES ('next', "
      "'shared', 'exec', '[\"test\",\"!\",\"-e\",\"/tmp/down\"]', 200, 1)");
  home.await("SELECT count(*) FROM check_proof WHERE name = 'shared'", "1");
  for (const rowlock::Container& each : home.running("next"))
    require(home.runtime().exec(each.name, {"touch", "/tmp/down"}, 5000).ok(), "touch");
  home.await("SELECT count(*) > 0 FROM event WHERE what = 'kept' AND kind = 'instance'", "1");
  home.await("SELECT count(*) > 0 FROM instance WHERE job = 'next' AND run = 0", "1");
  await_served(home, "next");
  load.stop();
  nothing_failed("what both need was down");
  cr_expect(load.requests() > 500, "%ld requests", load.requests());
}
