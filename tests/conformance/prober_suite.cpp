// The cases of Prober.
#include "tests/conformance/prober_suite.h"

#include "tests/conformance/suite_case.h"

#include <fmt/format.h>

#include <string>
#include <thread>
#include <utility>

namespace rowlock {

namespace {

constexpr std::int64_t kAmpleMs = 10'000;
constexpr std::int64_t kShortMs = 100;
constexpr std::int64_t kSlackMs = 5'000;  // Of a machine that is busy with other tests.

struct Told {
  int times = 0;
  ProbeResult result;
  std::int64_t at_ms = 0;
  std::thread::id thread;
};

class Case : public SuiteCase {
 public:
  Case(std::string title, const ProberFixture& given)
      : SuiteCase(std::move(title)), fixture(given), prober(given.make()) {}

  Probe http(Asked asked, int status = 200, std::int64_t timeout_ms = kAmpleMs) const {
    return fixture.probe(asked, Probe::Type::http, status, timeout_ms);
  }
  Probe tcp(Asked asked) const { return fixture.probe(asked, Probe::Type::tcp, 0, kAmpleMs); }

  std::function<void(const ProbeResult&)> into(Told& told) const {
    return [this, &told](const ProbeResult& result) {
      told = {told.times + 1, result, fixture.now_ms(), std::this_thread::get_id()};
    };
  }
  // Asks, and turns the loop until there is an answer.
  Told ask(const Probe& probe) const {
    Told told;
    prober->probe(probe, into(told));
    expect(told.times == 0, "no answer before probe() has returned");
    fixture.turn([&] { return told.times > 0; }, probe.timeout_ms + kSlackMs);
    expect(told.times == 1, "one answer");
    expect(told.thread == std::this_thread::get_id(), "an answer on the loop's thread");
    return told;
  }
  void says(const Probe& probe, bool passed, const std::string& detail,
            bool is_answer = true) const {
    const ProbeResult result = ask(probe).result;
    expect(result.is_answer == is_answer, "an answer, or none, as it was: " + detail);
    expect(result.passed == passed && result.detail == detail,
           fmt::format("'{}' to {}, not '{}'", detail, passed ? "pass" : "fail", result.detail));
  }

  const ProberFixture& fixture;
  std::unique_ptr<Prober> prober;
};

void http_passes_with_200_to_299(const Case& c) {
  for (const int status : {200, 204, 299}) {
    c.says(c.http(Asked::answers, status), true, fmt::format("HTTP {}", status));
  }
  for (const int status : {301, 304, 404, 500, 503}) {
    c.says(c.http(Asked::answers, status), false, fmt::format("HTTP {}", status));
  }
}

void tcp_passes_when_it_connects(const Case& c) {
  c.says(c.tcp(Asked::answers), true, "connected");
  c.says(c.tcp(Asked::hangs), true, "connected");
}

void nobody_there_is_refused(const Case& c) {
  c.says(c.http(Asked::refuses), false, "connection refused");
  c.says(c.tcp(Asked::refuses), false, "connection refused");
}

void one_who_hangs_up_is_named(const Case& c) {
  c.says(c.http(Asked::cuts), false, "connection closed without an answer");
}

// Nobody was asked, so nobody has failed.
void no_such_host_is_named(const Case& c) {
  const Probe probe = c.http(Asked::unknown);
  c.says(probe, false, "no such host: " + probe.address, false);
}

void one_who_hangs_is_given_up_at_the_deadline(const Case& c) {
  const std::int64_t begun_ms = c.fixture.now_ms();
  const Told told = c.ask(c.http(Asked::hangs, 0, kShortMs));
  c.expect(!told.result.passed && told.result.detail == "no answer within 100 ms",
           "a failure that names the deadline, not " + told.result.detail);
  c.expect(told.at_ms - begun_ms >= kShortMs / 2, "the deadline to be waited for");
}

void many_at_once_are_all_answered_once(const Case& c) {
  constexpr int kMany = 50;
  const Probe probe = c.http(Asked::answers);
  int answers = 0;
  for (int i = 0; i < kMany; ++i) {
    c.prober->probe(probe, [&](const ProbeResult&) { ++answers; });
  }
  c.expect(answers == 0, "no answer before the loop turns");
  c.fixture.turn([&] { return answers >= kMany; }, kAmpleMs);
  c.fixture.turn([] { return false; }, kShortMs);
  c.expect(answers == kMany, fmt::format("{} answers, not {}", kMany, answers));
}

void an_answer_may_ask_again(const Case& c) {
  const Probe probe = c.http(Asked::answers);
  int answers = 0;
  std::function<void(const ProbeResult&)> again = [&](const ProbeResult&) {
    if (++answers < 5) c.prober->probe(probe, again);
  };
  c.prober->probe(probe, again);
  c.fixture.turn([&] { return answers == 5; }, kAmpleMs);
  c.expect(answers == 5, "five answers");
}

void one_that_is_destroyed_calls_nothing(const Case& c) {
  std::unique_ptr<Prober> prober = c.fixture.make();
  int answers = 0;
  for (const Asked asked : {Asked::answers, Asked::refuses}) {
    prober->probe(c.http(asked), [&](const ProbeResult&) { ++answers; });
  }
  prober.reset();
  c.fixture.turn([] { return false; }, kShortMs);
  c.expect(answers == 0, "no answer of a prober that is gone");
}

void one_may_be_destroyed_by_an_answer(const Case& c) {
  std::unique_ptr<Prober> prober = c.fixture.make();
  int answers = 0;
  for (int i = 0; i < 5; ++i) {
    prober->probe(c.http(Asked::answers), [&](const ProbeResult&) {
      ++answers;
      prober.reset();
    });
  }
  c.fixture.turn([&] { return answers > 0; }, kAmpleMs);
  c.fixture.turn([] { return false; }, kShortMs);
  c.expect(answers == 1, "no answer after the one that destroyed it");
}

}  // namespace

void check_prober(const ProberFixture& fixture) {
  const std::pair<const char*, void (*)(const Case&)> cases[] = {
      {"http passes with 200 to 299", http_passes_with_200_to_299},
      {"tcp passes when it connects", tcp_passes_when_it_connects},
      {"nobody there is refused", nobody_there_is_refused},
      {"one who hangs up is named", one_who_hangs_up_is_named},
      {"no such host is named", no_such_host_is_named},
      {"one who hangs is given up at the deadline", one_who_hangs_is_given_up_at_the_deadline},
      {"many at once are all answered once", many_at_once_are_all_answered_once},
      {"an answer may ask again", an_answer_may_ask_again},
      {"one that is destroyed calls nothing", one_that_is_destroyed_calls_nothing},
      {"one may be destroyed by an answer", one_may_be_destroyed_by_an_answer},
  };
  for (const auto& [title, run] : cases) run(Case(title, fixture));
}

}  // namespace rowlock
