// What HAProxy does with requests: real traffic through a real one, to servers in this process.
#include "controller/adapters/haproxy/haproxy_config.h"
#include "controller/adapters/haproxy/haproxy_socket.h"
#include "controller/adapters/process/command.h"
#include "controller/base/time.h"
#include "tests/live/haproxy/haproxy_rig.h"

#include <criterion/criterion.h>

#include <chrono>
#include <future>
#include <memory>
#include <sstream>
#include <thread>

using namespace rowlock;

Test(live_haproxy, requests_go_where_the_longest_route_leads, .timeout = 60) {
  const WebServer whole("whole"), app("app"), deep("deep"), any("any"), other("other");
  HaproxyRig rig;
  rig.add_route("whole", "example.org", "/", {&whole});
  rig.add_route("app", "example.org", "/app", {&app});
  rig.add_route("deep", "example.org", "/app/deep/", {&deep});
  rig.add_route("any", "*.example.org", "/", {&any});
  rig.add_route("other", "Other.Example.org", "/only", {&other});
  rig.run();

  const struct {
    const char* host;
    const char* target;
    const char* who;  // Empty: nobody, 404.
  } cases[] = {
      {"example.org", "/", "whole"},
      {"EXAMPLE.org", "/x?app", "whole"},
      {"example.org", "/app", "app"},
      {"example.org", "/app?x=/apple", "app"},
      {"example.org", "/app/x", "app"},
      {"example.org", "/apple", "whole"},
      {"example.org", "/App", "whole"},
      {"example.org", "/app/deep", "deep"},
      {"example.org", "/app/deep/er", "deep"},
      {"example.org", "/app/deeper", "app"},
      {"a.example.org", "/app", "any"},
      {"a.b.example.org", "/", ""},
      {"other.example.org", "/only/x", "other"},
      {"other.example.org", "/x", "any"},
      {"example.com", "/", ""},
      {"org", "/", ""},
  };
  for (const auto& each : cases) {
    const Heard heard = rig.get(each.host, each.target);
    const bool nobody = each.who[0] == '\0';
    cr_expect(heard.status == (nobody ? 404 : 200) && (nobody || heard.who() == each.who),
              "%s%s: %d %s", each.host, each.target, heard.status, heard.body.c_str());
  }
  Ask dotted;
  dotted.headers = {"Host: example.org.:8080"};
  cr_expect(rig.ask(dotted).who() == "whole");
  for (const char* none :
       {"example.org/app", "u@www.example.org", ".example.org", "*.example.org", "a b.example.org",
        "a%2eexample.org", "[::1]", "www.example.org:80:80", "www.example.org,other.example.org"}) {
    dotted.headers = {std::string("Host: ") + none};
    cr_expect(rig.ask(dotted).status == 400, "%s: %d", none, rig.ask(dotted).status);
  }
}

Test(live_haproxy, a_prefix_is_taken_off, .timeout = 60) {
  const WebServer app("app");
  HaproxyRig rig;
  rig.add_route("app", "example.org", "/a+b", {&app}).strip_prefix = true;
  rig.run();

  const std::pair<const char*, const char*> cases[] = {
      {"/a+b", "GET / HTTP/1.1"},
      {"/a+b/", "GET / HTTP/1.1"},
      {"/a+b?q=1", "GET /?q=1 HTTP/1.1"},
      {"/a+b/x%20y/%25?q=%22'", "GET /x%20y/%25?q=%22' HTTP/1.1"},
      {"/a+b/a+b", "GET /a+b HTTP/1.1"},
  };
  for (const auto& [target, seen] : cases) {
    const Heard heard = rig.get("example.org", target);
    cr_expect(heard.line() == seen, "%s: %s", target, heard.body.c_str());
  }
}

Test(live_haproxy, redirects_keep_path_and_query, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("scheme", "a.org", "/", {&web}).redirect_scheme = "https";
  ProxyRoute& host = rig.add_route("host", "b.org", "/", {&web});
  host.redirect_host = "www.b.org";
  host.redirect_status = 301;
  ProxyRoute& both = rig.add_route("both", "c.org", "/", {&web});
  both.redirect_host = "www.c.org";
  both.redirect_scheme = "https";
  rig.add_route("same", "d.org", "/", {&web}).redirect_scheme = "http";
  rig.run();

  const Heard scheme = rig.get("a.org", "/x%20y/%25?q=%22&r=/");
  cr_expect(
      scheme.status == 308 && scheme.headers.at("location") == "https://a.org/x%20y/%25?q=%22&r=/",
      "%d %s", scheme.status, scheme.headers.at("location").c_str());
  const Heard moved = rig.get("b.org", "/x?y");
  cr_expect(moved.status == 301 && moved.headers.at("location") == "http://www.b.org/x?y");
  cr_expect(rig.get("c.org", "/").headers.at("location") == "https://www.c.org/");
  cr_expect(rig.get("d.org", "/").status == 200);
}

Test(live_haproxy, headers_are_set_and_taken_out, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  const std::string odd = R"(a "b" 'c' %[src] %% \ \n # ${HOME} $x ; {e} é)";
  ProxyRoute& route = rig.add_route("web", "example.org", "/", {&web});
  route.headers = {{"X-Odd", odd},
                   {"Strict-Transport-Security", "max-age=63072000; includeSubDomains"},
                   {"Server", ""}};
  rig.add_route("moved", "moved.org", "/", {&web}).redirect_scheme = "https";
  rig.config.routes.back().headers = {{"X-Frame-Options", "DENY"}};
  rig.run();

  const Heard heard = rig.get("example.org", "/");
  cr_expect(heard.headers.at("x-odd") == odd, "%s", heard.headers.at("x-odd").c_str());
  cr_expect(heard.headers.at("strict-transport-security") == "max-age=63072000; includeSubDomains");
  cr_expect(heard.headers.count("server") == 0);
  cr_expect(rig.get("moved.org", "/").headers.at("x-frame-options") == "DENY");
}

Test(live_haproxy, who_asks_too_often_gets_429, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  ProxyRoute& route = rig.add_route("web", "example.org", "/", {&web});
  route.rate_limit = 3;
  route.rate_window_ms = 60'000;
  rig.run();

  for (int i = 0; i < 3; ++i) cr_expect(rig.get("example.org", "/").status == 200, "%d", i);
  const Heard refused = rig.get("example.org", "/");
  cr_expect(refused.status == 429 && refused.headers.at("retry-after") == "60");
}

Test(live_haproxy, a_client_stays_until_its_slot_is_down, .timeout = 60) {
  const WebServer one("one"), two("two");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&one, &two}).sticky_cookie = "seat";
  rig.run();

  const Heard first = rig.get("example.org", "/");
  const std::string cookie = first.headers.at("set-cookie");
  Ask again;
  again.headers = {"Cookie: " + cookie.substr(0, cookie.find(';'))};
  for (int i = 0; i < 6; ++i) cr_expect(rig.ask(again).who() == first.who());

  const bool was_one = first.who() == "one";
  rig.set("web", was_one ? 1 : 2, false, was_one ? one : two);
  const Heard moved = rig.ask(again);
  cr_expect(moved.status == 200 && moved.who() == (was_one ? "two" : "one"));
  cr_expect(moved.headers.count("set-cookie") == 1);
}

Test(live_haproxy, a_route_in_maintenance_shows_its_page, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  const std::string page = "<h1>Back \"soon\" %[src] \\ # 100%</h1>\n";
  rig.add_route("web", "example.org", "/", {&web}).maintenance_page = page;
  rig.add_route("plain", "plain.org", "/", {&web}).mode = "maintenance";
  rig.run();
  cr_expect(rig.get("example.org", "/").status == 200);

  must(rig.proxy.set_mode("web", "maintenance"));
  const Heard shown = rig.get("example.org", "/");
  cr_expect(shown.status == 503 && shown.body == page, "%d %s", shown.status, shown.body.c_str());
  cr_expect(shown.headers.at("content-type") == "text/html; charset=utf-8");
  cr_expect(rig.get("plain.org", "/").status == 503);
  Ask head;
  head.method = "HEAD";
  cr_expect(rig.ask(head).status == 503);
  const auto report = rig.proxy.observe();
  must(report);
  cr_expect(report.value().modes.size() == 2);

  must(rig.proxy.set_mode("web", ""));
  cr_expect(rig.get("example.org", "/").status == 200);
}

Test(live_haproxy, a_paused_route_holds_requests_and_lets_them_go, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();

  must(rig.proxy.set_mode("web", "pause:15000"));
  auto held = std::async(std::launch::async, [&] { return rig.get("example.org", "/"); });
  cr_expect(held.wait_for(std::chrono::milliseconds(500)) == std::future_status::timeout);
  must(rig.proxy.set_mode("web", ""));
  cr_expect(held.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
  cr_expect(held.get().status == 200);

  must(rig.proxy.set_mode("web", "pause:300"));
  const Heard too_long = rig.get("example.org", "/");
  cr_expect(too_long.status == 503 && too_long.headers.at("retry-after") == "1");
}

Test(live_haproxy, a_request_held_by_an_old_worker_is_let_go_too, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web}).mode = "pause:30000";
  rig.run();

  auto held = std::async(std::launch::async, [&] { return rig.get("example.org", "/"); });
  cr_expect(held.wait_for(std::chrono::milliseconds(300)) == std::future_status::timeout);
  rig.reload();
  must(rig.proxy.set_mode("web", ""));
  cr_expect(held.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
  cr_expect(held.get().status == 200);
}

Test(live_haproxy, certificates_are_picked_by_name_and_replaced_at_run_time, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  const std::string folder = rig.folder / "certificates";
  cr_assert(run_command({"/bin/mkdir", folder}, 5000).ok());
  rig.make_certificate(folder + "/a.pem", "a.org");
  rig.make_certificate(rig.folder / "b.pem", "b.org");
  rig.config.listen_tls = "127.0.0.1:" + std::to_string(rig.tls_port);
  rig.config.certificates = {folder, rig.folder / "b.pem"};
  for (const char* host : {"a.org", "b.org"})
    rig.add_route(std::string(host, 1), host, "/", {&web});
  rig.run();
  Ask asked;
  asked.tls = true;
  asked.http2 = true;

  for (const char* host : {"a.org", "b.org"}) {
    asked.host = host;
    const Heard heard = rig.ask(asked);
    cr_expect(heard.certificate == host, "%s: %s", host, heard.certificate.c_str());
    cr_expect(heard.http_version == 20 && heard.was_sent("x-forwarded-proto: https"));
  }
  auto report = rig.proxy.observe();
  must(report);
  cr_assert(report.value().certificates.size() == 2);
  const CertificateReport b = report.value().certificates[1];
  cr_expect(!b.stale && b.error.empty() && b.names == "b.org www.b.org", "%s", b.names.c_str());
  cr_expect(b.not_after_ms > system_now_ms() && !report.value().files_moved);

  rig.make_certificate(b.file, "new.b.org");
  cr_expect(rig.proxy.observe().value().certificates[1].stale);
  must(rig.proxy.load_certificate(b.file));
  cr_expect(rig.ask(asked).status == 200);
  report = rig.proxy.observe();
  cr_expect(!report.value().certificates[1].stale);
  cr_expect(report.value().certificates[1].names == "new.b.org www.new.b.org");
  cr_expect(report.value().generation == 1);

  write(b.file, "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
  const auto refused = rig.proxy.load_certificate(b.file);
  cr_expect(!refused.ok() && refused.error().fault == Fault::rejected);
  cr_expect(!rig.proxy.observe().value().certificates[1].error.empty());

  rig.make_certificate(folder + "/c.pem", "c.org");
  cr_expect(rig.proxy.observe().value().files_moved);
}

Test(live_haproxy, a_slot_goes_down_without_losing_a_request, .timeout = 60) {
  WebServer slow("slow"), next("next");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&slow});
  rig.run();

  auto under_way = std::async(std::launch::async, [&] { return rig.get("example.org", "/slow"); });
  slow.wait_until_held(1);
  cr_expect(rig.set("web", 2, true, next).ready);
  const SlotReport down = rig.set("web", 1, false, slow);
  cr_expect(!down.ready && down.sessions == 1 && !down.lingers);
  for (int i = 0; i < 4; ++i) cr_expect(rig.get("example.org", "/").who() == "next");

  slow.let_go();
  const Heard ended = under_way.get();
  cr_expect(ended.status == 200 && ended.who() == "slow");
  cr_expect(eventually([&] { return rig.proxy.look("web", 1).value().sessions == 0; }));
  cr_expect(rig.proxy.look("web", 9).error().cause == Cause::not_found);
  cr_expect(rig.proxy.set_slot("none", {1, false, "", 0, 1}).error().cause == Cause::not_found);
  cr_expect(rig.proxy.set_mode("none", "").error().cause == Cause::not_found);
}

Test(live_haproxy, a_route_without_a_ready_slot_says_503, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();
  rig.set("web", 1, false, web);

  cr_expect(rig.get("example.org", "/").status == 503);
  const auto freed = rig.proxy.set_slot("web", {1, false, "", 0, 3});
  must(freed);
  cr_expect(freed.value().address.empty() && freed.value().port == 0 && freed.value().weight == 3);
  cr_expect(rig.proxy.observe().value().slots.empty());
  const auto ipv6 = rig.proxy.set_slot("web", {1, true, "::1", 80, 256});
  must(ipv6);
  const auto weightless = rig.proxy.set_slot("web", {2, true, "127.0.0.1", web.port(), 0});
  must(weightless);
  cr_expect(weightless.value().ready && weightless.value().weight == 0);
  cr_expect(ipv6.value().address == "::1" && ipv6.value().ready && ipv6.value().weight == 256);
}

Test(live_haproxy, requests_wait_for_the_next_instance_for_a_while, .timeout = 60) {
  const WebServer old("old"), next("next");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&old}).hold_max_ms = 15'000;
  rig.add_route("brief", "brief.org", "/", {&old}).hold_max_ms = 1500;
  rig.run();

  rig.set("web", 1, false, old);
  auto held = std::async(std::launch::async, [&] { return rig.get("example.org", "/"); });
  cr_expect(held.wait_for(std::chrono::milliseconds(500)) == std::future_status::timeout);
  rig.set("web", 2, true, next);
  const Heard heard = held.get();
  cr_expect(heard.status == 200 && heard.who() == "next", "%d", heard.status);

  // Nothing comes: those that wait give up together, and nobody begins to.
  rig.set("brief", 1, false, old);
  const Heard given_up = rig.get("brief.org", "/");
  cr_expect(given_up.status == 503 && given_up.headers.at("retry-after") == "1");
  cr_expect(eventually([&] {
    const auto begun = std::chrono::steady_clock::now();
    return rig.get("brief.org", "/").status == 503 &&
           std::chrono::steady_clock::now() - begun < std::chrono::milliseconds(500);
  }));
  must(rig.proxy.set_mode("brief", "maintenance"));
  cr_expect(rig.get("brief.org", "/").status == 503);
}

// Without it, one look of HAProxy that fails would leave out what was let in a moment ago.
Test(live_haproxy, an_instance_that_was_let_in_is_in_full_health, .timeout = 60) {
  const WebServer web("web"), next("next");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();
  rig.set("web", 2, true, next);

  const auto said = exchange(rig.folder / "proxy/master.sock",
                             "@1 show servers state " + backend_name("abc", "web"), 5000);
  must(said);
  std::istringstream row(said.value().substr(said.value().find(" s2 ")));
  std::string cell;
  for (int i = 0; i < 10; ++i) row >> cell;  // From srv_name to srv_check_health.
  cr_expect(cell == "3", "%s", said.value().c_str());
}

// One that only HAProxy's own checks leave out comes back with whatever listens at its address.
Test(live_haproxy, an_instance_that_is_gone_counts_until_it_is_taken_out, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();
  auto gone = std::make_unique<WebServer>("gone");
  cr_expect(rig.set("web", 2, true, *gone).ready);
  const int port = gone->port();
  gone.reset();

  cr_expect(eventually([&] {
    (void)rig.get("example.org", "/");
    return rig.proxy.look("web", 2).value().failing;
  }));
  cr_expect(rig.proxy.look("web", 2).value().ready);
  const auto out = rig.proxy.set_slot("web", {2, false, "127.0.0.1", port, 1});
  must(out);
  cr_expect(!out.value().ready && !out.value().failing);
}

Test(live_haproxy, a_dead_instance_costs_no_request, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();
  must(rig.proxy.set_slot("web", {2, true, "127.0.0.1", free_port(), 1}));

  for (int i = 0; i < 6; ++i) cr_expect(rig.get("example.org", "/").status == 200, "%d", i);
}

// A request without an answer may be what ended its instance, and must not end them all.
Test(live_haproxy, a_request_is_sent_again_to_few_and_only_if_it_may_be_repeated, .timeout = 60) {
  const struct {
    std::int64_t retries;
    const char* method;
    int sent;
  } cases[] = {{0, "GET", 1},     {1, "GET", 2},  {2, "GET", 3},  {3, "HEAD", 4},
               {1, "OPTIONS", 2}, {1, "PUT", 2},  {3, "PUT", 4},  {1, "DELETE", 2},
               {1, "POST", 1},    {3, "POST", 1}, {3, "PATCH", 1}};
  for (const auto& each : cases) {
    WebServer servers[5] = {WebServer("1"), WebServer("2"), WebServer("3"), WebServer("4"),
                            WebServer("5")};
    HaproxyRig rig;
    rig.add_route("web", "example.org", "/",
                  {&servers[0], &servers[1], &servers[2], &servers[3], &servers[4]})
        .retries = each.retries;
    rig.run();
    Ask asked;
    asked.target = "/drop";
    asked.method = each.method;

    cr_expect(rig.ask(asked).status == 502);
    int sent = 0;
    for (WebServer& server : servers) {
      cr_expect(server.dropped() <= 1, "%s twice to one instance", each.method);
      sent += server.dropped();
    }
    cr_expect(sent == each.sent, "%s, %ld retries: sent to %d", each.method, each.retries, sent);
  }
}

Test(live_haproxy, what_was_never_sent_goes_to_another_instance_in_any_case, .timeout = 60) {
  for (const std::int64_t retries : {0, 1}) {
    const WebServer web("web");
    HaproxyRig rig;
    rig.add_route("web", "example.org", "/", {&web}).retries = retries;
    rig.run();
    must(rig.proxy.set_slot("web", {2, true, "127.0.0.1", free_port(), 1}));
    Ask asked;
    asked.method = "POST";

    for (int i = 0; i < 4; ++i) cr_expect(rig.ask(asked).status == 200, "%ld: %d", retries, i);
  }
}
