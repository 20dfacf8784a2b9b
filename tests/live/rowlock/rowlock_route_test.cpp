// Routes with everything real: containers, HAProxy, and clients that ask without a pause. The app
// behind them is not ready for a while after its start and ends at once when it is told to
// (tests/apps/slow_app.cpp).
#include "tests/live/haproxy/http_load.h"
#include "tests/live/rowlock/routed_home.h"

#include <criterion/criterion.h>

#include <chrono>
#include <csignal>
#include <thread>

using namespace rowlock;
using namespace rowlock_live;

namespace {

void deploy(LiveHome& home, int restart) {
  home.accept("UPDATE job SET restart = " + std::to_string(restart));
  home.await_converged("app");
}

pid_t proxy_process(const LiveHome& home) {
  return static_cast<pid_t>(std::stol(home.state("SELECT process FROM proxy_state")));
}

}  // namespace

Test(live_rowlock_route, no_request_fails_through_deploys_kills_and_reloads, .timeout = 400) {
  LiveHome home;
  home.start_and_reach();
  const int port = route_two_apps(home);
  await_served(home);

  HttpLoad load("127.0.0.1", port, "site.example.org", 6);
  deploy(home, 1);
  deploy(home, 2);
  home.runtime()
      .stop(home.state("SELECT min(name) FROM instance WHERE run = 1"), "SIGKILL", 0)
      .ok();
  await_served(home);
  home.edit("UPDATE job SET restart = 3");
  std::this_thread::sleep_for(std::chrono::milliseconds(800));  // In the middle of it.
  home.kill();
  home.start();
  home.await(
      "SELECT count(*) FROM instance AS i JOIN spec AS s ON s.id = i.spec WHERE i.run = 1 AND "
      "json_extract(s.body, '$.restart') = 3",
      "2");
  await_served(home);
  for (int i = 0; i < 3; ++i) {
    home.accept("UPDATE route SET response_timeout_ms = " + std::to_string(30000 + i));
    home.await("SELECT state FROM status WHERE kind = 'proxy'", "converged");
  }
  load.stop();

  require(load.failed() == 0, std::to_string(load.failed()) + " of " +
                                  std::to_string(load.requests()) +
                                  " failed, first: " + load.first_failure() + "\n" + home.story());
  cr_expect(load.requests() > 500, "%ld requests", load.requests());
  // Each was proven before it was ready, and let go before it was stopped.
  cr_expect(home.state("SELECT count(*) FROM route_target WHERE ready_at_ms < proven_at_ms "
                       "OR evidence = '[]'") == "0");
  cr_expect(
      home.state("SELECT count(*) FROM event AS e JOIN route_target AS t ON t.name = e.target "
                 "WHERE e.what = 'stopped' AND (t.let_go_at_ms IS NULL "
                 "OR t.let_go_at_ms > e.at_ms OR t.drained_at_ms > t.let_go_at_ms)") == "0");
}

Test(live_rowlock_route, a_proxy_that_is_killed_comes_back_as_it_was, .timeout = 200) {
  LiveHome home;
  home.start_and_reach();
  const int port = route_two_apps(home);
  await_served(home);
  const pid_t before = proxy_process(home);

  ::kill(before, SIGKILL);
  await_answer(
      "it answers again", [&] { return http_status("127.0.0.1", port, "site.example.org"); }, "200",
      [&] { return home.story(); });
  await_served(home);

  cr_expect(proxy_process(home) != before);
  cr_expect(home.state("SELECT count(*) FROM instance") == "2", "nothing was replaced");
}

Test(live_rowlock_route, the_proxy_goes_on_without_rowlock_and_is_found_again, .timeout = 200) {
  LiveHome home;
  home.start_and_reach();
  const int port = route_two_apps(home);
  await_served(home);
  const pid_t process = proxy_process(home);

  home.stop();
  cr_expect(http_status("127.0.0.1", port, "site.example.org") == "200");
  home.start();
  home.await("SELECT count(*) FROM event WHERE what = 'reached' AND kind = 'proxy'", "2");
  await_served(home);

  cr_expect(proxy_process(home) == process);
}

Test(live_rowlock_route, a_paused_route_holds_requests_and_lets_them_go_on, .timeout = 200) {
  LiveHome home;
  home.start_and_reach();
  const int port = route_two_apps(home);
  await_served(home);
  home.accept("UPDATE route SET pause = 1");
  home.await("SELECT mode FROM route_state", "pause:30000");

  std::string answer;
  const auto began = std::chrono::steady_clock::now();
  std::thread held([&] { answer = http_status("127.0.0.1", port, "site.example.org"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  home.accept("UPDATE route SET pause = 0");
  held.join();

  cr_expect(answer == "200", "%s", answer.c_str());
  cr_expect(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(700));
  home.accept("UPDATE route SET maintenance = 1");
  await_answer(
      "the page", [&] { return http_status("127.0.0.1", port, "site.example.org"); }, "503",
      [&] { return home.story(); });
}

Test(live_rowlock_route, the_last_route_that_goes_closes_the_port, .timeout = 200) {
  LiveHome home;
  home.start_and_reach();
  const int port = route_two_apps(home);
  await_served(home);

  home.accept_deletion("DELETE FROM route", "route", 1);
  home.await("SELECT reach FROM proxy_state", "lost");

  cr_expect(http_status("127.0.0.1", port, "site.example.org") == "no connection");
  home.await_exactly("app", 2);
}

// Somebody else's: started by hand from what Rowlock wrote, with a socket of its own.
Test(live_rowlock_route, a_proxy_that_somebody_else_manages_is_attached, .timeout = 200) {
  LiveHome home;
  home.start_and_reach();
  const std::string socket = home.folder() + "/theirs.sock";
  const int port = route_two_apps(home, ", socket", ", '" + socket + "'");
  home.await("SELECT saved_content >= 0 FROM proxy_state", "1");

  Child theirs(
      {"/usr/sbin/haproxy", "-W", "-S", socket, "-f", home.folder() + "/proxy/current/haproxy.cfg"},
      home.folder() + "/theirs.log");
  await_served(home);
  await_answer(
      "it answers", [&] { return http_status("127.0.0.1", port, "site.example.org"); }, "200",
      [&] { return home.story(); });

  HttpLoad load("127.0.0.1", port, "site.example.org", 4);
  deploy(home, 1);
  home.accept("UPDATE route SET strip_prefix = 1");
  home.await("SELECT state FROM status WHERE kind = 'proxy'", "converged");
  load.stop();
  require(load.failed() == 0, load.first_failure() + "\n" + home.story());

  home.accept_deletion("DELETE FROM route", "route", 1);
  home.await("SELECT count(*) FROM route_state", "0");
  cr_expect(!theirs.has_ended(), "it is theirs");
  theirs.signal(SIGTERM);
  theirs.await_end(kPatienceS);
}
