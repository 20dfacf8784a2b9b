// Probes against tiny servers on the loopback, each of which does one thing.
#include "controller/adapters/http/curl_prober.h"

#include "controller/adapters/http/curl_probe.h"
#include "tests/adapters/no_descriptors.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <limits>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

using rowlock::CurlProber;
using rowlock::Loop;
using rowlock::Probe;
using rowlock::ProbeResult;

namespace {

constexpr std::int64_t kAmpleMs = 10000;

// A socket bound to a port of the system's choice; without listen() the port refuses connections.
class Port {
 public:
  Port() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    cr_assert_eq(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    cr_assert_eq(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    number_ = ntohs(address.sin_port);
  }
  ~Port() { close(fd_); }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  int fd() const { return fd_; }
  int number() const { return number_; }

 private:
  int fd_;
  int number_ = 0;
};

// Answers each connection with the same bytes, one connection after the other.
class Server {
 public:
  enum class After { close, hang };

  explicit Server(std::string answer, After after = After::close, int think_ms = 0)
      : answer_(std::move(answer)), after_(after), think_ms_(think_ms) {
    cr_assert_eq(listen(port_.fd(), SOMAXCONN), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    shutdown(port_.fd(), SHUT_RDWR);  // Ends accept().
    thread_.join();
  }
  int port() const { return port_.number(); }
  const std::string& request() const { return request_; }

 private:
  void serve() {
    while (true) {
      const int connection = accept(port_.fd(), nullptr, nullptr);
      if (connection < 0 && errno == EMFILE) {
        continue;
      }
      if (connection < 0) {
        return;
      }
      char buffer[4096];
      const ssize_t size = read(connection, buffer, sizeof(buffer));
      request_.assign(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(think_ms_));
      std::size_t sent = 0;
      while (sent < answer_.size()) {
        const ssize_t part =
            send(connection, answer_.data() + sent, answer_.size() - sent, MSG_NOSIGNAL);
        if (part <= 0) {
          break;
        }
        sent += static_cast<std::size_t>(part);
      }
      while (after_ == After::hang && read(connection, buffer, sizeof(buffer)) > 0) {
      }
      close(connection);
    }
  }

  Port port_;
  std::string answer_;
  After after_;
  int think_ms_;
  std::string request_;  // Read it once the probe has ended.
  std::thread thread_;
};

Probe http(int port, std::int64_t timeout_ms = kAmpleMs) {
  return {Probe::Type::http, "127.0.0.1", port, "/health?deep=1", timeout_ms};
}

Probe tcp(int port) { return {Probe::Type::tcp, "127.0.0.1", port, "", kAmpleMs}; }

ProbeResult result_of(const Probe& probe) {
  Loop loop;
  CurlProber prober(loop);
  ProbeResult result;
  prober.probe(probe, [&](const ProbeResult& told) {
    result = told;
    loop.stop();
  });
  loop.run();
  return result;
}

void expect_result(const Probe& probe, bool passed, const std::string& detail) {
  const ProbeResult result = result_of(probe);
  cr_expect(result.passed == passed, "%s", result.detail.c_str());
  cr_expect(result.detail == detail, "\"%s\", not \"%s\"", result.detail.c_str(), detail.c_str());
}

}  // namespace

Test(curl_prober, http_passes_with_a_status_in_the_two_hundreds, .timeout = 30) {
  struct Case {
    const char* status;
    bool passed;
    const char* detail;
  };
  const Case cases[] = {{"200 OK", true, "HTTP 200"},
                        {"204 No Content", true, "HTTP 204"},
                        {"304 Not Modified", false, "HTTP 304"},
                        {"404 Not Found", false, "HTTP 404"},
                        {"503 Service Unavailable", false, "HTTP 503"}};
  for (const Case& each : cases) {
    const Server server(std::string("HTTP/1.1 ") + each.status + "\r\nContent-Length: 0\r\n\r\n");
    expect_result(http(server.port()), each.passed, each.detail);
  }
}

Test(curl_prober, http_asks_for_the_path_and_goes_past_any_proxy, .timeout = 30) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  const Server server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");

  expect_result(http(server.port()), true, "HTTP 200");

  cr_assert(server.request().starts_with("GET /health?deep=1 HTTP/1.1\r\n"), "%s",
            server.request().c_str());
}

Test(curl_prober, a_redirect_is_not_followed, .timeout = 30) {
  const Server elsewhere("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  const Server server("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:" +
                      std::to_string(elsewhere.port()) + "/\r\n\r\n");

  expect_result(http(server.port()), false, "HTTP 302");
}

Test(curl_prober, an_endless_answer_is_cut_off_and_its_status_counts, .timeout = 30) {
  const std::string body(4 * rowlock::CurlProbe::kBodyMax, 'x');
  const Server good("HTTP/1.1 200 OK\r\n\r\n" + body, Server::After::hang);
  const Server bad("HTTP/1.1 500 Oops\r\n\r\n" + body, Server::After::hang);

  expect_result(http(good.port()), true, "HTTP 200");
  expect_result(http(bad.port()), false, "HTTP 500");
}

Test(curl_prober, a_server_that_hangs_is_given_up_at_the_deadline, .timeout = 30) {
  const Server silent("", Server::After::hang);
  const Server stalls("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Server::After::hang);

  expect_result(http(silent.port(), 50), false, "no answer within 50 ms");
  expect_result(http(stalls.port(), 50), false, "no answer within 50 ms");
}

Test(curl_prober, a_broken_answer_is_named, .timeout = 30) {
  const Server mute("");
  const Server cut("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
  const Server other("SSH-2.0-OpenSSH_9.2\r\n");

  expect_result(http(mute.port()), false, "connection closed without an answer");
  expect_result(http(cut.port()), false, "connection cut");
  expect_result(http(other.port()), false, "not an HTTP answer");
}

Test(curl_prober, a_refused_connection_is_named, .timeout = 30) {
  const Port refusing;

  expect_result(http(refusing.number()), false, "connection refused");
  expect_result(tcp(refusing.number()), false, "connection refused");
}

Test(curl_prober, tcp_passes_when_it_connects, .timeout = 30) {
  const Port listening;
  cr_assert_eq(listen(listening.fd(), 16), 0);

  expect_result(tcp(listening.number()), true, "connected");
}

Test(curl_prober, what_a_row_may_hold_is_never_worse_than_a_failed_probe, .timeout = 30) {
  const Port port;
  std::vector<Probe> odd(6, http(port.number(), 200));
  odd[0].address = "";
  odd[1].address = "no such host";
  odd[2].path = "/a b\r\nX: y";
  odd[3].path = std::string(9'000'000, 'x');
  odd[4].port = 0;
  odd[5].port = 99999;
  for (const Probe& probe : odd) {
    const ProbeResult result = result_of(probe);
    cr_expect_not(result.passed);
    cr_expect_not(result.detail.empty());
    cr_expect_leq(result.detail.size(), 300);
  }
  Probe endless = http(port.number(), std::numeric_limits<std::int64_t>::max());
  expect_result(endless, false, "connection refused");
  endless.timeout_ms = -1;
  cr_expect_not(result_of(endless).passed);
}

Test(curl_prober, more_probes_than_are_allowed_at_once_wait_and_are_all_answered, .timeout = 30) {
  const Server server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  Loop loop;
  CurlProber prober(loop);
  std::size_t passed = 0;
  std::size_t answered = 0;
  const std::size_t asked = CurlProber::kProbesMax * 3;

  for (std::size_t i = 0; i < asked; ++i) {
    prober.probe(http(server.port()), [&](const ProbeResult& result) {
      passed += result.passed ? 1 : 0;
      if (++answered == asked) {
        loop.stop();
      }
    });
  }
  loop.run();

  cr_assert_eq(passed, asked);
}

Test(curl_prober, a_probe_that_waits_for_its_turn_keeps_its_deadline, .timeout = 30) {
  const Server server("", Server::After::hang);
  Loop loop;
  CurlProber prober(loop);
  for (std::size_t i = 0; i < CurlProber::kProbesMax; ++i) {
    prober.probe(http(server.port(), kAmpleMs), [](const ProbeResult&) { cr_assert(false); });
  }
  std::string detail;

  prober.probe(http(server.port(), 30), [&](const ProbeResult& result) {
    detail = result.detail;
    loop.stop();
  });
  loop.run();

  cr_assert(detail == "not asked: 512 others were", "%s", detail.c_str());
}

// As a stopped process, or a machine that is busy with other things, leaves the loop.
Test(curl_prober, a_pause_of_the_loop_gives_nobody_up, .timeout = 30) {
  for (const int paused_at_ms : {1, 40, 120}) {
    std::deque<Server> slow;  // One for each, since each takes its time.
    Loop loop;
    CurlProber prober(loop);
    std::vector<ProbeResult> results;
    for (const std::int64_t timeout_ms : {600, 700, 800}) {
      slow.emplace_back("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Server::After::close, 80);
      prober.probe(http(slow.back().port(), timeout_ms), [&](const ProbeResult& told) {
        results.push_back(told);
        if (results.size() == 3) {
          loop.stop();
        }
      });
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    const auto pause = loop.timer();
    pause->start(paused_at_ms,
                 [] { std::this_thread::sleep_for(std::chrono::milliseconds(1300)); });
    loop.run();

    for (const ProbeResult& result : results) {
      cr_expect(result.passed || !result.is_answer, "paused at %d ms: %s", paused_at_ms,
                result.detail.c_str());
    }
  }
}

Test(curl_prober, one_who_hangs_is_given_up_however_often_the_loop_pauses, .timeout = 30) {
  const Server silent("", Server::After::hang);
  Loop loop;
  CurlProber prober(loop);
  ProbeResult result;
  const auto pauses = loop.timer();
  pauses->start_repeating(1, [] { std::this_thread::sleep_for(std::chrono::milliseconds(90)); });

  prober.probe(http(silent.port(), 200), [&](const ProbeResult& told) {
    result = told;
    loop.stop();
  });
  loop.run();

  cr_expect_not(result.passed);
  cr_expect(result.is_answer);
  cr_expect(result.detail == "no answer within 200 ms", "%s", result.detail.c_str());
}

Test(curl_prober, one_who_hung_up_while_the_loop_paused_has_not_answered, .timeout = 30) {
  const Server mute("", Server::After::close, 50);
  Loop loop;
  CurlProber prober(loop);
  ProbeResult result;
  const auto pause = loop.timer();
  pause->start(20, [] { std::this_thread::sleep_for(std::chrono::milliseconds(300)); });

  prober.probe(http(mute.port()), [&](const ProbeResult& told) {
    result = told;
    loop.stop();
  });
  loop.run();

  cr_expect_not(result.is_answer, "%s", result.detail.c_str());
}

Test(curl_prober, without_a_descriptor_nobody_was_asked, .timeout = 30) {
  const Server server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  Loop loop;
  CurlProber prober(loop);
  std::vector<ProbeResult> results;
  const auto take = [&](const ProbeResult& told) {
    results.push_back(told);
    loop.stop();
  };

  {
    const rowlock::NoDescriptors none;
    for (const Probe& probe : {http(server.port()), tcp(server.port())}) {
      prober.probe(probe, take);
      loop.run();
    }
  }
  prober.probe(http(server.port()), take);
  loop.run();

  cr_assert_eq(results.size(), 3);
  for (const ProbeResult& result : {results[0], results[1]}) {
    cr_expect(!result.passed && !result.is_answer);
    cr_expect(result.detail.starts_with("too many open files: this process may have "), "%s",
              result.detail.c_str());
  }
  cr_expect(results[2].passed, "%s", results[2].detail.c_str());
}

Test(curl_prober, done_may_probe_again, .timeout = 30) {
  const Server server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  Loop loop;
  CurlProber prober(loop);
  int passed = 0;

  std::function<void(const ProbeResult&)> again = [&](const ProbeResult& result) {
    passed += result.passed ? 1 : 0;
    if (passed == 20) {
      loop.stop();
    } else {
      prober.probe(http(server.port()), again);
    }
  };
  prober.probe(http(server.port()), again);
  loop.run();

  cr_assert_eq(passed, 20);
}

Test(curl_prober, a_destroyed_prober_calls_nothing, .timeout = 30) {
  const Port refusing;
  const Server hanging("", Server::After::hang);
  Loop loop;
  auto prober = std::make_unique<CurlProber>(loop);
  int calls = 0;

  for (int i = 0; i < 20; ++i) {
    prober->probe(http(hanging.port(), 20000), [](const ProbeResult&) { cr_assert(false); });
    prober->probe(tcp(refusing.number()), [&](const ProbeResult&) {
      ++calls;
      prober.reset();
      loop.stop();
    });
  }
  loop.run();
  const auto later = loop.timer();
  later->start(40, [&] { loop.stop(); });
  loop.run();

  cr_assert_eq(calls, 1);
}
