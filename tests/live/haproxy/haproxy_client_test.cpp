// What instances learn of who asks, and from whom.
#include "tests/live/haproxy/haproxy_rig.h"

#include <criterion/criterion.h>

#include <string>

using namespace rowlock;

Test(live_haproxy, instances_learn_who_asks_and_liars_are_not_believed, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();
  Ask lie;
  lie.headers = {"X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https", "X-Forwarded-Evil: 1",
                 "Forwarded: for=9.9.9.9"};

  const Heard seen = rig.ask(lie);
  cr_expect(seen.was_sent("x-forwarded-for: 127.0.0.1"), "%s", seen.body.c_str());
  cr_expect(seen.was_sent("x-forwarded-proto: http"));
  cr_expect(seen.was_sent("x-forwarded-host: example.org"));
  cr_expect(seen.body.find("9.9.9.9") == std::string::npos);
  cr_expect(seen.body.find("evil") == std::string::npos);
}

// Names that applications take for the client's address, with hyphens and with underscores, which
// many of them read as one; and a hop's own header, which would take the true one away.
Test(live_haproxy, nothing_that_a_client_says_of_itself_reaches_an_instance, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();
  for (const std::string name :
       {"X_Forwarded_For", "X-Forwarded_Proto", "x_forwarded-for", "X-Real-IP", "X_Real_IP",
        "True-Client-IP", "CF-Connecting-IP", "CF_Connecting_IP", "X-Client-IP", "Client-IP",
        "Fastly-Client-IP", "X-Cluster-Client-IP", "X-Original-For", "Forwarded", "FORWARDED"}) {
    Ask lie;
    lie.headers = {name + ": 9.9.9.9"};
    const Heard seen = rig.ask(lie);
    cr_expect(seen.status == 200 && seen.body.find("9.9.9.9") == std::string::npos, "%s: %s",
              name.c_str(), seen.body.c_str());
    cr_expect(seen.was_sent("x-forwarded-for: 127.0.0.1"), "%s: %s", name.c_str(),
              seen.body.c_str());
  }

  Ask hop;
  hop.headers = {"Connection: X-Forwarded-For, X-Forwarded-Proto"};
  cr_expect(!rig.ask(hop).was_sent("connection: x-forwarded-for"));
  cr_expect(rig.ask(hop).body.find("onnection: X-") == std::string::npos);
  cr_expect(rig.ask(hop).was_sent("x-forwarded-for: 127.0.0.1"));
  hop.headers = {"Connection: Upgrade, X-Forwarded-For", "Upgrade: websocket",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="};
  const Heard upgraded = rig.ask(hop);
  cr_expect(upgraded.was_sent("connection: upgrade"), "%s", upgraded.body.c_str());
  cr_expect(upgraded.was_sent("upgrade: websocket"), "%s", upgraded.body.c_str());
}

Test(live_haproxy, a_proxy_in_front_on_this_machine_is_believed, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.config.client_header = "X-Forwarded-For";
  rig.add_route("web", "example.org", "/", {&web}).redirect_scheme = "https";
  rig.run();
  Ask passed_on;
  passed_on.headers = {"X-Forwarded-For: 9.9.9.9, 8.8.8.8", "X-Forwarded-Proto: HTTPS"};

  const Heard seen = rig.ask(passed_on);
  cr_expect(seen.was_sent("x-forwarded-for: 8.8.8.8"), "%d %s", seen.status, seen.body.c_str());
  cr_expect(seen.was_sent("x-forwarded-proto: https"));
  passed_on.headers = {"X-Forwarded-For: nonsense"};
  cr_expect(rig.ask(passed_on).status == 308);
}

Test(live_haproxy, heads_are_bounded_by_settings_and_what_is_refused_is_counted, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();
  Ask large;
  for (int i = 0; i < 5; ++i) {
    large.headers.push_back("X-Large-" + std::to_string(i) + ": " + std::string(6000, 'x'));
  }
  Ask many;
  for (int i = 0; i < 150; ++i) many.headers.push_back("X-Many-" + std::to_string(i) + ": x");
  const std::int64_t before = rig.proxy.observe().value().unread;

  cr_expect_eq(rig.ask(large).status, 400);
  cr_expect_eq(rig.ask(many).status, 400);
  cr_expect(eventually([&] { return rig.proxy.observe().value().unread == before + 2; }), "%ld",
            rig.proxy.observe().value().unread);

  rig.config.head_kb = 64;
  rig.config.headers_max = 300;
  rig.reload();
  cr_expect_eq(rig.ask(large).status, 200);
  cr_expect_eq(rig.ask(many).status, 200);
}

Test(live_haproxy, clients_may_begin_with_the_proxy_protocol, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.config.accept_proxy = true;
  rig.add_route("web", "example.org", "/", {&web});
  rig.run();
  Ask asked;
  asked.proxy_protocol = true;

  cr_expect(rig.ask(asked).was_sent("x-forwarded-for: 127.0.0.1"));
  asked.proxy_protocol = false;
  cr_expect(rig.ask(asked).status != 200);
}
