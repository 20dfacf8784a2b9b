// HAProxy as a process that starts, reloads under requests, refuses what is no good, and dies.
#include "tests/live/haproxy/haproxy_rig.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <thread>
#include <unistd.h>

using namespace rowlock;

namespace {

int connected(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval patience{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  cr_assert(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  return fd;
}

// The first line of the answer to a GET on a connection that stays open.
std::string first_line(int fd) {
  const std::string request = "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
  cr_assert(::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0);
  char bytes[4096];
  const ssize_t count = ::recv(fd, bytes, sizeof bytes, 0);
  const std::string answer(bytes, count > 0 ? static_cast<std::size_t>(count) : 0);
  return answer.substr(0, answer.find('\r'));
}

}  // namespace

// In the worker from before the reload, no server counts as usable.
Test(live_haproxy_process, a_connection_from_before_a_reload_is_served_and_not_held,
     .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web}).hold_max_ms = 60'000;
  rig.run();
  const int connection = connected(rig.port);
  cr_expect(first_line(connection) == "HTTP/1.1 200 OK");

  rig.reload();

  const std::string second = first_line(connection);
  cr_expect(second == "HTTP/1.1 200 OK", "%s", second.c_str());
  ::close(connection);
}

Test(live_haproxy_process, a_reload_loses_no_request_and_counts_those_of_the_old_worker,
     .timeout = 60) {
  WebServer slow("slow"), next("next");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&slow});
  rig.run();
  auto under_way = std::async(std::launch::async, [&] { return rig.get("example.org", "/slow"); });
  slow.wait_until_held(1);

  rig.add_route("more", "more.org", "/", {&next});
  rig.reload();
  cr_expect(rig.get("more.org", "/").who() == "next");
  auto report = rig.proxy.observe();
  must(report);
  cr_expect(report.value().generation == 2);
  const SlotReport old = rig.proxy.look("web", 1).value();
  cr_expect(old.sessions == 1 && old.lingers && old.ready);
  const SlotReport down = rig.set("web", 1, false, slow);
  cr_expect(down.sessions == 1 && down.lingers && !down.ready);

  slow.let_go();
  cr_expect(under_way.get().who() == "slow");
  cr_expect(eventually([&] {
    const SlotReport now = rig.proxy.look("web", 1).value();
    return now.sessions == 0 && !now.lingers;
  }));
}

Test(live_haproxy_process, requests_go_on_while_it_reloads, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();
  std::atomic<bool> stop{false};
  std::atomic<int> good{0};
  std::atomic<int> bad{0};
  std::thread client([&] {
    while (!stop) ++(rig.get("example.org", "/").status == 200 ? good : bad);
  });

  for (int i = 0; i < 3; ++i) rig.reload();
  stop = true;
  client.join();
  cr_expect(bad == 0 && good > 0, "%d bad, %d good", bad.load(), good.load());
}

Test(live_haproxy_process, what_is_no_good_is_refused_and_the_one_before_stays, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();

  ++rig.config.generation;
  rig.config.listen = "nowhere.invalid:80";
  const auto refused = rig.proxy.save(rig.config);
  cr_assert(!refused.ok() && refused.error().fault == Fault::rejected);
  cr_expect(
      refused.error().message.find("invalid address: 'nowhere.invalid'") != std::string::npos &&
          refused.error().message.find("ALERT") == std::string::npos,
      "%s", refused.error().message.c_str());
  const auto reloaded = rig.proxy.reload();
  must(reloaded);
  cr_expect(rig.proxy.observe().value().generation == 1);
  cr_expect(rig.get("example.org", "/").status == 200);
}

Test(live_haproxy_process, a_reload_that_cannot_listen_fails_and_the_old_worker_stays,
     .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();

  ++rig.config.generation;
  rig.config.listen_tls = "";
  rig.config.listen += ",127.0.0.1:" + std::to_string(web.port());
  must(rig.proxy.save(rig.config));
  const auto failed = rig.proxy.reload();
  cr_assert(!failed.ok());
  cr_expect(failed.error().fault == Fault::transient, "%s", failed.error().message.c_str());
  cr_expect(rig.get("example.org", "/").status == 200);
  const auto report = rig.proxy.observe();
  must(report);
  cr_expect(report.value().generation == 1);
  cr_expect(report.value().slots[0].ready && !report.value().slots[0].lingers);
  cr_expect(!rig.set("web", 1, false, web).ready);
  cr_expect(rig.get("example.org", "/").status == 503);

  rig.config.listen = "127.0.0.1:" + std::to_string(rig.port);
  rig.reload();
  cr_expect(rig.proxy.observe().value().generation == 3);
}

Test(live_haproxy_process, an_address_in_use_is_an_error_even_when_its_user_would_share_it,
     .timeout = 60) {
  HaproxyRig rig;
  rig.run();
  HaproxyProxy second(rig.folder / "second", "");
  must(second.save(rig.config));

  const auto started = second.start();
  (void)second.stop().ok();
  cr_assert(!started.ok());
  cr_expect(started.error().message.find("cannot bind socket") != std::string::npos, "%s",
            started.error().message.c_str());
}

Test(live_haproxy_process, one_that_was_killed_starts_again_as_saved, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();
  rig.set("web", 2, true, web);
  std::atomic<bool> stop{false};
  std::atomic<bool> ended{false};
  auto watching = std::async(std::launch::async,
                             [&] { return rig.proxy.watch(stop, [&] { ended = true; }).ok(); });
  const std::int64_t master = rig.proxy.observe().value().process;
  std::this_thread::sleep_for(std::chrono::milliseconds(100));

  cr_assert(::kill(static_cast<pid_t>(master), SIGKILL) == 0);
  cr_expect(watching.get() && ended);
  cr_expect(eventually([&] { return rig.proxy.observe().error().cause == Cause::unreachable; }));

  must(rig.proxy.start());
  must(rig.proxy.start());
  const auto report = rig.proxy.observe();
  must(report);
  cr_expect(report.value().slots.size() == 1 && report.value().slots[0].ready);
  cr_expect(report.value().process != master && report.value().version.rfind("2.", 0) == 0);
  cr_expect(rig.get("example.org", "/").status == 200);
}

Test(live_haproxy_process, it_stops_and_stays_stopped, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  cr_expect(rig.proxy.observe().error().cause == Cause::unreachable);
  cr_expect(rig.proxy.start().error().cause == Cause::not_found);
  rig.run();

  must(rig.proxy.stop());
  must(rig.proxy.stop());
  cr_expect(rig.proxy.observe().error().cause == Cause::unreachable);
  cr_expect(rig.get("example.org", "/").status == 0);
  std::atomic<bool> stop{false};
  bool called = false;
  must(rig.proxy.watch(stop, [&] { called = true; }));
  cr_expect(!called);
}

Test(live_haproxy_process, one_that_somebody_else_runs_is_told_but_not_run, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();

  for (const char* socket : {"/worker.sock", "/master.sock"}) {
    HaproxyProxy theirs(rig.folder / "proxy", rig.folder / "proxy" + socket);
    must(theirs.observe());
    cr_expect(theirs.observe().value().slots.size() == 1);
    const auto down = theirs.set_slot("web", {1, false, "127.0.0.1", web.port(), 1});
    must(down);
    cr_expect(!down.value().ready);
    must(theirs.set_mode("web", "maintenance"));
    cr_expect(theirs.start().error().fault == Fault::rejected);
    cr_expect(theirs.stop().error().fault == Fault::rejected);
    const bool is_worker = std::string(socket) == "/worker.sock";
    const auto reloaded = theirs.reload();
    cr_expect(is_worker ? !reloaded.ok() && reloaded.error().fault == Fault::rejected &&
                              reloaded.error().hint.find("current/haproxy.cfg") != std::string::npos
                        : reloaded.ok());
  }
}

Test(live_haproxy_process, only_two_generations_are_kept, .timeout = 60) {
  HaproxyRig rig;
  for (int i = 0; i < 4; ++i) {
    ++rig.config.generation;
    const auto saved = rig.proxy.save(rig.config);
    must(saved);
  }
  int folders = 0;
  for (const auto& each : std::filesystem::directory_iterator(rig.folder / "proxy/generations")) {
    folders += each.is_directory() ? 1 : 0;
  }
  cr_expect(folders == 2);
}

Test(live_haproxy_process, a_home_with_blanks_in_its_path_works_and_a_long_one_says_so,
     .timeout = 60) {
  HaproxyRig rig;
  const std::string odd = rig.folder / "a 'b' #c";
  std::filesystem::create_directory(odd);
  HaproxyProxy blanks(odd + "/proxy", "");
  must(blanks.save(rig.config));
  must(blanks.start());
  cr_expect(blanks.observe().value().generation == 1);
  must(blanks.stop());

  HaproxyProxy long_one(rig.folder / std::string(120, 'x'), "");
  const auto refused = long_one.save(rig.config);
  cr_assert(!refused.ok() && refused.error().fault == Fault::rejected);
  cr_expect(refused.error().message.find("too long") != std::string::npos);
}
