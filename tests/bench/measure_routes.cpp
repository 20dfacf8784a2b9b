// What a route's users notice of deploys and accidents: requests that fail, and how long it takes.
// The app behind it needs two seconds until it is ready and 50 ms for a request, and ends at once
// when it is told to (tests/apps/slow_app.cpp). ROUNDS (50) is how many deploys there are.
#include "tests/bench/load.h"
#include "tests/bench/measures.h"
#include "tests/bench/routed_app.h"

#include <fmt/format.h>

#include <cstdlib>
#include <thread>

namespace rowlock::bench {

namespace {

constexpr int kConnections = 60;
constexpr int kRate = 200;  // Requests a second: about a fifth of what the machine can.
const int kQuietSeconds = sized(40, 1);
const int kBusySecondsLeft = sized(8, 1);  // A deploy that begins now still ends under load.
const int kLatencyPairs = sized(3, 1);
const int kAccidents = sized(10, 1);

int rounds() {
  const char* const given = std::getenv("ROUNDS");
  return given == nullptr ? sized(50, 1) : std::atoi(given);
}

void pause_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

Figure none_failed(const std::string& what, const LoadResult& load, const std::string& more = "") {
  return at_most(
      what + ": failed requests", static_cast<double>(load.failed), 0, "",
      fmt::format("of {}{}{} {}", load.requests, more.empty() ? "" : ", ", more, load.errors));
}

// Whether the rows prove, for every instance that was ever stopped, that it was proven before it
// was ready and let go before it was stopped.
Figure proofs(RoutedApp& app) {
  const std::string unproven = app.service().value(
      "SELECT count(*) FROM route_target AS t WHERE t.ready_at_ms IS NOT NULL "
      "AND (t.proven_at_ms IS NULL OR t.proven_at_ms > t.ready_at_ms OR t.evidence = '[]')");
  const std::string early = app.service().value(
      "SELECT count(*) FROM event AS e JOIN route_target AS t ON t.name = e.target "
      "WHERE e.kind = 'instance' AND e.what = 'stopped' "
      "AND (t.drained_at_ms IS NULL OR t.let_go_at_ms IS NULL OR t.let_go_at_ms < t.drained_at_ms "
      "OR t.let_go_at_ms > e.at_ms)");
  const std::string all =
      app.service().value("SELECT count(*) FROM route_target WHERE ready_at_ms IS NOT NULL");
  return at_most("(r3) cut-overs without proof, by a query", std::stod(unproven) + std::stod(early),
                 0, "", "of " + all);
}

std::vector<Figure> measure_deploys(RoutedApp& app) {
  Load load = Load::constant(app.url(), app.host(), kConnections);
  Samples took;
  for (int i = 0; i < rounds(); ++i) {
    const Moment from = now();
    app.deploy();
    took.add(ms_between(from, now()) / 1000);
  }
  const LoadResult result = load.result();
  return {none_failed(fmt::format("(r1) {} deploys under load", rounds()), result,
                      "s a deploy: " + took.text()),
          proofs(app)};
}

std::vector<Figure> measure_latency(RoutedApp& app) {
  Samples quiet;
  Samples busy;
  long failed = 0;
  for (int i = 0; i < kLatencyPairs; ++i) {
    const LoadResult calm = Load::at_rate(app.url(), app.host(), kRate, kQuietSeconds).result();
    Load load = Load::at_rate(app.url(), app.host(), kRate, kQuietSeconds);
    const Moment from = now();
    while (ms_between(from, now()) < 1000 * (kQuietSeconds - kBusySecondsLeft)) app.deploy();
    const LoadResult deploying = load.result();
    quiet.add(calm.p99_ms);
    busy.add(deploying.p99_ms);
    failed += calm.failed + deploying.failed;
  }
  return {at_most("(r1) p99 while deploying, over quiet", busy.median() / quiet.median(), 1.10, "",
                  fmt::format("at {}/s: {} ms over {} ms, {} failed", kRate, busy.text(),
                              quiet.text(), failed))};
}

// An accident happens again and again while there is load and a deploy goes on.
LoadResult under_accidents(RoutedApp& app, const std::function<void()>& accident, int pause) {
  Load load = Load::constant(app.url(), app.host(), kConnections);
  for (int i = 0; i < kAccidents; ++i) {
    app.begin_deploy();
    pause_ms(pause + i * 317 % 1500);  // At ever other moments of the deploy.
    accident();
    app.await_converged();
  }
  return load.result();
}

std::vector<Figure> measure_accidents(RoutedApp& app) {
  std::vector<Figure> figures;
  figures.push_back(none_failed("(r1) instances killed with kill -9",
                                under_accidents(
                                    app, [&] { app.kill_an_instance(); }, 500)));
  figures.push_back(
      none_failed("(r1) Rowlock killed and started again", under_accidents(
                                                               app,
                                                               [&] {
                                                                 app.service().kill();
                                                                 pause_ms(700);
                                                                 app.service().start();
                                                               },
                                                               100)));
  figures.push_back(
      none_failed("(r1) HAProxy reloaded", under_accidents(
                                               app, [&] { app.cause_reload(); }, 100)));
  return figures;
}

std::vector<Figure> measure_times(RoutedApp& app) {
  Load load = Load::constant(app.url(), app.host(), kConnections);
  Samples beyond;
  Samples begun;
  Samples acknowledged;
  for (int i = 0; i < kAccidents; ++i) {
    app.deploy();
    for (const FirstRequest& first : app.first_requests()) {
      beyond.add(static_cast<double>(first.served_at_ms - first.acknowledged_at_ms));
      begun.add(static_cast<double>(first.served_at_ms - first.passed_at_ms));
      acknowledged.add(static_cast<double>(first.acknowledged_at_ms - first.passed_at_ms));
    }
  }
  Samples left;
  for (int i = 0; i < 2 * kAccidents; ++i) {
    left.add(app.ms_until_a_dead_instance_is_out());
    app.await_converged();
  }
  const LoadResult result = load.result();
  const Samples told = app.ms_to_tell_the_proxy();
  return {at_most("(r2) passing check → first request, beyond the acknowledgement", beyond.median(),
                  5, " ms",
                  fmt::format("{}; acknowledged after {}, first request after {}; to tell it {}",
                              beyond.text(), acknowledged.text(), begun.text(), told.text())),
          at_most("(r2) exit → out of the rotation, 95 %", left.quantile(0.95), 100, " ms",
                  left.text()),
          none_failed("(r2) meanwhile", result)};
}

std::vector<Figure> measure_recovery(RoutedApp& app) {
  Samples back;
  for (int i = 0; i < kAccidents; ++i) {
    back.add(app.ms_until_the_proxy_is_back());
    app.await_converged();
  }
  return {at_most("(r1) HAProxy killed with kill -9 → answers again", back.median(), 1000, " ms",
                  back.text())};
}

}  // namespace

void measure_routes(const std::string& endpoint,
                    const std::function<void(std::vector<Figure>)>& take) {
  RoutedApp app(endpoint);
  take(measure_times(app));
  take(measure_recovery(app));
  take(measure_latency(app));
  take(measure_accidents(app));
  take(measure_deploys(app));
}

}  // namespace rowlock::bench
