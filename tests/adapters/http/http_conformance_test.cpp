// What speaks HTTP (prober, key sets, pings) against the suites of its ports, on servers of this
// process on loopback.
#include "controller/adapters/http/curl_prober.h"
#include "controller/adapters/http/http_pings.h"
#include "controller/adapters/http/key_sets.h"
#include "controller/loop/loop.h"
#include "tests/adapters/http/scripted_server.h"
#include "tests/conformance/key_sets_suite.h"
#include "tests/conformance/pings_suite.h"
#include "tests/conformance/prober_suite.h"
#include "tests/live/haproxy/web_server.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace rowlock;

namespace {

constexpr std::int64_t kLookMs = 2;        // How often a turn of the loop is looked at.
constexpr std::int64_t kReleaseMs = 3000;  // So long a reader may stand still.

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// A loop and those who are asked.
struct Street {
  Loop loop;
  std::deque<ScriptedServer> servers;

  ScriptedServer& add(const std::string& answer) {
    return servers.emplace_back([answer](const std::string&) { return answer; });
  }
  Probe probe(Asked asked, Probe::Type type, int status, std::int64_t timeout_ms) {
    Probe made{type, "127.0.0.1", 0, "/", timeout_ms};
    switch (asked) {
      case Asked::answers: made.port = add(with_status(status)).port(); break;
      case Asked::hangs: made.port = add(kHangs).port(); break;
      case Asked::cuts: made.port = add("").port(); break;
      case Asked::refuses: made.port = free_port(); break;
      // No name server is asked for a label of over 63 letters.
      case Asked::unknown: made.address = std::string(70, 'x') + ".invalid"; break;
    }
    return made;
  }
  void turn(const std::function<bool()>& is_over, std::int64_t at_most_ms) {
    const std::int64_t end_ms = steady_ms() + at_most_ms;
    const auto timer = loop.timer();
    while (!is_over() && steady_ms() < end_ms) {
      timer->start(kLookMs, [this] { loop.stop(); });
      loop.run();
    }
  }
};

// Ends a read of that pipe which would last for ever.
class Release {
 public:
  explicit Release(std::string pipe) : pipe_(std::move(pipe)), thread_([this] { wait(); }) {}
  ~Release() {
    is_over_ = true;
    thread_.join();
  }
  bool was_needed() const { return was_needed_; }

 private:
  void wait() {
    const std::int64_t end_ms = steady_ms() + kReleaseMs;
    while (!is_over_ && steady_ms() < end_ms) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (is_over_) return;
    was_needed_ = true;
    ::close(::open(pipe_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  }

  std::string pipe_;
  std::atomic<bool> is_over_ = false;
  std::atomic<bool> was_needed_ = false;
  std::thread thread_;  // Last: it uses all of these.
};

}  // namespace

Test(conformance_curl_prober, behaves_like_every_prober, .timeout = 120) {
  Street street;
  ProberFixture fixture;
  fixture.make = [&] { return std::make_unique<CurlProber>(street.loop); };
  fixture.probe = [&](Asked asked, Probe::Type type, int status, std::int64_t timeout_ms) {
    return street.probe(asked, type, status, timeout_ms);
  };
  fixture.turn = [&](const std::function<bool()>& is_over, std::int64_t at_most_ms) {
    street.turn(is_over, at_most_ms);
  };
  fixture.now_ms = steady_ms;

  check_prober(fixture);
}

Test(conformance_key_set_reader, behaves_like_all_key_sets, .timeout = 120) {
  const TempFolder folder;
  Street street;
  int count = 0;
  KeySetReader reader;
  KeySetsFixture fixture;
  fixture.put = [&](const std::string& text) {
    const std::string file = folder / fmt::format("keys-{}", ++count);
    write(file, text);
    return std::vector<std::string>{file, street.add(with_status(200, "", text)).url("/keys")};
  };
  fixture.of_none = {folder / "none", fmt::format("http://127.0.0.1:{}/keys", free_port())};
  const std::string set = key_set_of(1);
  fixture.unreadable = {
      folder.path(), street.add(with_status(404, "", set)).url("/keys"),
      street.add(with_status(302, "Location: " + fixture.put(set)[1] + "\r\n", set)).url("/keys"),
      street.add("").url("/keys"),
      street.add("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + set).url("/keys")};

  check_key_sets(reader, fixture);
}

Test(conformance_key_set_reader, a_pipe_that_nobody_writes_to_does_not_hang, .timeout = 60) {
  const TempFolder folder;
  const std::string pipe = folder / "pipe";
  cr_assert_eq(::mkfifo(pipe.c_str(), 0600), 0);
  const Release release(pipe);

  const auto read = KeySetReader().read(pipe);

  cr_expect_not(read.ok());
  cr_expect_not(release.was_needed());
}

Test(conformance_http_pings, behave_like_all_pings, .timeout = 120) {
  constexpr std::int64_t kDeadlineMs = 2000;
  Street street;
  HttpPings pings(kDeadlineMs);
  PingsFixture fixture;
  fixture.deadline_ms = kDeadlineMs;
  fixture.secret = "s3cret";
  fixture.url_of = [&](int status) { return street.add(with_status(status)).url("/s3cret"); };
  fixture.url_of_silent = street.add(kHangs).url("/s3cret");
  fixture.url_of_none = fmt::format("http://127.0.0.1:{}/s3cret", free_port());
  fixture.heard = [&](const std::string& url) {
    const auto found = std::find_if(street.servers.begin(), street.servers.end(),
                                    [&](auto& server) { return server.url("/s3cret") == url; });
    return static_cast<int>(found->heads().size());
  };

  check_pings(pings, fixture);
}
