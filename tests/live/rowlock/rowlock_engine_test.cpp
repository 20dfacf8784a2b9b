// Engines that are away or hang: unknown is not absent, and one that is stuck holds up nobody else.
#include "tests/live/rowlock/rowlock_home.h"
#include "tests/live/rowlock/rowlock_stand_in.h"

#include <criterion/criterion.h>

using namespace rowlock;
using namespace rowlock_live;

namespace {

// A stand-in forwards between sockets of this machine.
std::string unix_endpoint() {
  const std::string endpoint = engine_endpoint();
  if (endpoint.rfind("unix://", 0) != 0) cr_skip_test("the engine has no socket on this machine");
  return endpoint;
}

std::string set_endpoint(const std::string& endpoint) {
  return "UPDATE node SET endpoint = '" + endpoint + "'";
}

}  // namespace

Test(live_rowlock_engine, one_that_is_not_there_is_unknown_until_it_is_found, .timeout = 120) {
  LiveHome home;
  home.edit(set_endpoint("unix:///no/such/docker.sock"));
  home.edit(insert_job("web"));
  home.start();

  home.await("SELECT state FROM status WHERE kind = 'node'", "unknown");
  home.await_why("local", "nothing is started or stopped there until it answers");
  home.await_why("web", "cannot be reached");
  cr_expect(home.state("SELECT count(*) FROM instance") == "0");

  home.accept(set_endpoint(unix_endpoint()));
  home.await_converged("web");
  home.await_exactly("web", 1);
}

Test(live_rowlock_engine, one_that_hangs_on_a_container_serves_the_others, .timeout = 180) {
  LiveHome home;
  StandInEngine engine(home.folder(), unix_endpoint());
  home.edit(set_endpoint(engine.endpoint()));
  home.start_and_reach();
  home.accept("BEGIN;" + insert_job("slow") + insert_job("quick") + "COMMIT;");
  home.await_converged("slow");
  home.await_converged("quick");

  engine.hang_on("-slow-");
  (void)home.runtime().remove(home.running("slow").front().name).ok();
  await_answer(
      "a call hangs", [&] { return engine.hung() > 0 ? "yes" : "no"; }, "yes",
      [&] { return home.story(); });
  for (int count = 2; count <= 4; ++count) {
    home.accept("UPDATE job SET count = " + std::to_string(count) + " WHERE name = 'quick'");
    home.await("SELECT state FROM status WHERE kind = 'job' AND name = 'quick'", "converged", 20);
    home.await_exactly("quick", count);
  }
  cr_expect(engine.hung() > 0, "it did not hang all the while");
  cr_expect(home.running("slow").empty());

  engine.hang_on("");
  home.await_converged("slow");
  home.await_exactly("slow", 1);
}

Test(live_rowlock_engine, one_that_hangs_altogether_is_unknown_and_loses_nothing, .timeout = 180) {
  LiveHome home;
  StandInEngine engine(home.folder(), unix_endpoint());
  home.edit(set_endpoint(engine.endpoint()));
  home.start_and_reach();
  home.accept(insert_job("web", {{"count", "2"}}));
  home.await_converged("web");
  const std::string before = home.identity("web");

  engine.hang_altogether(true);
  home.await("SELECT state FROM status WHERE kind = 'node'", "unknown");
  home.await("SELECT state FROM status WHERE kind = 'job'", "unknown");
  home.await_why("local", "what runs there is unknown");
  home.accept("UPDATE job SET count = 3");  // An edit is taken all the same.
  cr_expect(home.state("SELECT count(*) FROM instance WHERE run = 1") == "2");
  cr_expect(home.identity("web") == before);

  engine.hang_altogether(false);
  home.await("SELECT state FROM status WHERE kind = 'node'", "converged");
  home.await("SELECT count(*) FROM instance WHERE run = 1 AND healthy_at_ms IS NOT NULL", "3");
  home.await_converged("web");
  home.await_exactly("web", 3);
  const std::string after = home.identity("web");
  for (std::size_t at = 0; at < before.size(); at = before.find('\n', at) + 1)
    cr_expect(after.find(before.substr(at, before.find('\n', at) - at)) != std::string::npos);
}
