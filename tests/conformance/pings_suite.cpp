// The cases of Pings.
#include "tests/conformance/pings_suite.h"

#include "tests/conformance/suite_case.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

namespace rowlock {

namespace {

constexpr std::int64_t kSlackMs = 5000;  // Of a machine that is busy with other tests.

class Case : public SuiteCase {
 public:
  Case(std::string title, Pings& under_test, const PingsFixture& given)
      : SuiteCase(std::move(title)), pings(under_test), fixture(given) {}

  // Whoever knows the path can ping: it stands in no message.
  void fails(const Result<>& pinged, const std::string& what) const {
    expect(!pinged.ok(), what + " to be an error");
    if (pinged.ok()) return;
    const Error& error = pinged.error();
    expect(error.fault == Fault::transient, what + " to be tried again: " + error.message);
    expect(error.message.starts_with("ping "), "what was tried in: " + error.message);
    expect((error.message + error.hint).find(fixture.secret) == std::string::npos,
           "no secret in: " + error.message);
  }

  Pings& pings;
  const PingsFixture& fixture;
};

void a_status_of_200_to_299_is_good(const Case& c) {
  for (const int status : {200, 201, 204, 299}) {
    const std::string url = c.fixture.url_of(status);
    c.succeeds(c.pings.ping(url), fmt::format("ping with {}", status));
    c.expect(c.fixture.heard(url) == 1, fmt::format("one question for {}", status));
  }
}

void another_status_is_none_and_is_named(const Case& c) {
  for (const int status : {304, 400, 404, 500, 503}) {
    const std::string url = c.fixture.url_of(status);
    const Result<> pinged = c.pings.ping(url);
    c.fails(pinged, fmt::format("HTTP {}", status));
    c.expect(!pinged.ok() && pinged.error().message.ends_with(fmt::format("HTTP {}", status)),
             fmt::format("the status {} at the end", status));
    c.expect(c.fixture.heard(url) == 1, fmt::format("one question for {}", status));
  }
}

// Two pings are two, whatever came of the first.
void each_call_is_a_question(const Case& c) {
  const std::string url = c.fixture.url_of(200);
  c.succeeds(c.pings.ping(url), "ping");
  c.succeeds(c.pings.ping(url), "ping again");
  c.expect(c.fixture.heard(url) == 2, "two questions");
}

void nobody_there_is_unreachable(const Case& c) {
  const Result<> pinged = c.pings.ping(c.fixture.url_of_none);
  c.fails(pinged, "nobody there");
  c.expect(!pinged.ok() && pinged.error().cause == Cause::unreachable, "Cause::unreachable");
}

void silence_ends_at_the_deadline(const Case& c) {
  const auto begun = std::chrono::steady_clock::now();
  const Result<> pinged = c.pings.ping(c.fixture.url_of_silent);
  const std::chrono::milliseconds most(c.fixture.deadline_ms + kSlackMs);
  c.expect(std::chrono::steady_clock::now() - begun < most, "an end at the deadline");
  c.fails(pinged, "silence");
  c.expect(!pinged.ok() && pinged.error().cause == Cause::deadline, "Cause::deadline");
}

void several_at_once_are_all_answered(const Case& c) {
  const std::string url = c.fixture.url_of(200);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { c.succeeds(c.pings.ping(url), "ping beside others"); });
  }
  for (std::thread& thread : threads) thread.join();
  c.expect(c.fixture.heard(url) == 4, "four questions");
}

}  // namespace

void check_pings(Pings& pings, const PingsFixture& fixture) {
  const std::pair<const char*, void (*)(const Case&)> cases[] = {
      {"a status of 200 to 299 is good", a_status_of_200_to_299_is_good},
      {"another status is none and is named", another_status_is_none_and_is_named},
      {"each call is a question", each_call_is_a_question},
      {"nobody there is unreachable", nobody_there_is_unreachable},
      {"silence ends at the deadline", silence_ends_at_the_deadline},
      {"several at once are all answered", several_at_once_are_all_answered},
  };
  for (const auto& [title, run] : cases) run(Case(title, pings, fixture));
}

}  // namespace rowlock
