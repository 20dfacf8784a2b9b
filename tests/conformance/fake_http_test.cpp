// The fakes of the ports that speak HTTP (prober, key sets, pings) against the suites that the real
// ones pass.
#include "tests/conformance/key_sets_suite.h"
#include "tests/conformance/pings_suite.h"
#include "tests/conformance/prober_suite.h"
#include "tests/fakes/fake_key_sets.h"
#include "tests/fakes/fake_pings.h"
#include "tests/fakes/fake_prober.h"
#include "tests/simulator/timeline.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>

using namespace rowlock;

namespace {

// By the names of the hosts.
FakeProber::Found found_by(const Probe& probe) {
  if (probe.address == "answers" && probe.type == Probe::Type::http) {
    const int status = std::stoi(probe.path.substr(1));
    return {{status >= 200 && status <= 299, fmt::format("HTTP {}", status)}, 5, false};
  }
  if (probe.type == Probe::Type::tcp && probe.address != "refuses") {
    return {{true, "connected"}, 5, false};
  }
  if (probe.address == "hangs") return {{}, 0, true};
  if (probe.address == "cuts") return {{false, "connection closed without an answer"}, 5, false};
  if (probe.address == "unknown") return {{false, "no such host: unknown", false}, 5, false};
  return {};
}

const char* name_of(Asked asked) {
  switch (asked) {
    case Asked::answers: return "answers";
    case Asked::hangs: return "hangs";
    case Asked::cuts: return "cuts";
    case Asked::refuses: return "refuses";
    case Asked::unknown: return "unknown";
  }
  UNREACHABLE();
}

}  // namespace

Test(conformance_fake_prober, behaves_like_every_prober) {
  simulator::Timeline timeline;
  ProberFixture fixture;
  fixture.make = [&] {
    auto prober =
        std::make_unique<FakeProber>([&](std::int64_t after_ms, std::function<void()> happens) {
          timeline.after(after_ms, std::move(happens));
        });
    prober->find = found_by;
    return prober;
  };
  fixture.probe = [](Asked asked, Probe::Type type, int status, std::int64_t timeout_ms) {
    return Probe{type, name_of(asked), 80, fmt::format("/{}", status), timeout_ms};
  };
  fixture.turn = [&](const std::function<bool()>& is_over, std::int64_t at_most_ms) {
    const std::int64_t end_ms = timeline.now_ms() + at_most_ms;
    timeline.at(end_ms, [] {});
    while (!is_over() && timeline.now_ms() < end_ms) timeline.step();
  };
  fixture.now_ms = [&] { return timeline.now_ms(); };

  check_prober(fixture);
}

Test(conformance_fake_key_sets, behave_like_all_key_sets) {
  FakeKeySets sets;
  int count = 0;
  KeySetsFixture fixture;
  fixture.put = [&](const std::string& text) {
    const std::string source = fmt::format("/keys/{}", ++count);
    sets.set(source, text);
    return std::vector<std::string>{source};
  };
  fixture.of_none = {"/keys/none", "https://none"};

  check_key_sets(sets, fixture);
}

Test(conformance_fake_pings, behave_like_all_pings) {
  FakePings pings;
  int count = 0;
  PingsFixture fixture;
  fixture.secret = "s3cret";
  fixture.url_of = [&](int status) {
    const std::string url = fmt::format("https://watcher/s3cret/{}", ++count);
    pings.statuses[url] = status;
    return url;
  };
  fixture.url_of_silent = fixture.url_of(FakePings::kSilent);
  fixture.url_of_none = fixture.url_of(FakePings::kNobody);
  fixture.heard = [&](const std::string& url) {
    const auto heard = pings.heard();
    return static_cast<int>(std::count(heard.begin(), heard.end(), url));
  };

  check_pings(pings, fixture);
}
