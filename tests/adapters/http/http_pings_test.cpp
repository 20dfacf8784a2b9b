// Pings that reach somebody, pings that do not, and answers that nobody should have to read.
#include "controller/adapters/http/http_pings.h"

#include "tests/adapters/http/scripted_server.h"
#include "tests/live/haproxy/web_server.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <string>

using namespace rowlock;

Test(http_pings, it_asks_once_and_every_status_of_200_to_299_will_do, .timeout = 30) {
  for (const int status : {200, 201, 204, 299}) {
    ScriptedServer server([status](const std::string&) { return with_status(status); });

    const auto pinged = HttpPings().ping(server.url());

    cr_expect(pinged.ok(), "%d", status);
    cr_assert_eq(server.heads().size(), 1);
    cr_expect(server.heads()[0].starts_with("GET /ping/secret HTTP/1.1\r\n"));
  }
}

Test(http_pings, another_status_is_named_but_not_the_address_behind_the_host, .timeout = 30) {
  for (const int status : {300, 304, 400, 404, 500, 503}) {
    ScriptedServer server([status](const std::string&) { return with_status(status); });

    const auto pinged = HttpPings().ping(server.url());

    cr_assert_not(pinged.ok(), "%d", status);
    cr_expect(pinged.error().message == fmt::format("ping {}: HTTP {}", server.host(), status),
              "%s", pinged.error().message.c_str());
    cr_expect(pinged.error().fault == Fault::transient);
  }
}

Test(http_pings, a_redirect_is_followed_to_http_and_nowhere_else, .timeout = 30) {
  const auto leads_to = [](const std::string& target) {
    return [target](const std::string& head) {
      return head.starts_with("GET /there ") ? with_status(200)
                                             : with_status(302, "Location: " + target + "\r\n");
    };
  };
  ScriptedServer good(leads_to("/there"));
  cr_expect(HttpPings().ping(good.url()).ok());
  cr_expect_eq(good.heads().size(), 2);

  for (const std::string target : {"file:///etc/hostname", "ftp://127.0.0.1/there",
                                   "gopher://127.0.0.1/there", "dict://127.0.0.1/there"}) {
    ScriptedServer server(leads_to(target));
    cr_expect_not(HttpPings().ping(server.url()).ok(), "%s", target.c_str());
    cr_expect_eq(server.heads().size(), 1);
  }
  ScriptedServer endless(leads_to("/again"));
  cr_expect_not(HttpPings().ping(endless.url()).ok());
  cr_expect_eq(endless.heads().size(), 1 + HttpPings::kRedirectsMax);
}

Test(http_pings, one_that_hangs_is_given_up_at_the_deadline, .timeout = 30) {
  ScriptedServer silent([](const std::string&) { return kHangs; });

  const auto pinged = HttpPings(100).ping(silent.url());

  cr_assert_not(pinged.ok());
  cr_expect(pinged.error().cause == Cause::deadline);
  cr_expect(pinged.error().message ==
            fmt::format("ping {}: no answer within 100 ms", silent.host()));
}

Test(http_pings, one_that_got_there_and_lost_its_answer_has_failed, .timeout = 30) {
  ScriptedServer closing([](const std::string&) { return ""; });
  ScriptedServer broken(
      [](const std::string&) { return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"; });
  ScriptedServer babbling([](const std::string&) { return "hello\r\n\r\n"; });

  for (ScriptedServer* server : {&closing, &broken, &babbling}) {
    const auto pinged = HttpPings().ping(server->url());
    cr_assert_not(pinged.ok());
    cr_expect(pinged.error().fault == Fault::transient);
    cr_expect(pinged.error().message.starts_with("ping " + server->host() + ": "), "%s",
              pinged.error().message.c_str());
    cr_expect_eq(server->heads().size(), 1);
  }
}

Test(http_pings, a_body_without_an_end_is_not_read_to_it, .timeout = 30) {
  ScriptedServer large([](const std::string&) {
    return with_status(200, "", std::string(10 * HttpPings::kBodyBytesMax, 'x'));
  });
  ScriptedServer large_refusal([](const std::string&) {
    return with_status(500, "", std::string(10 * HttpPings::kBodyBytesMax, 'x'));
  });

  cr_expect(HttpPings().ping(large.url()).ok());
  cr_expect(HttpPings().ping(large_refusal.url()).error().message ==
            fmt::format("ping {}: HTTP 500", large_refusal.host()));
}

Test(http_pings, nobody_there_and_no_address_are_told_apart, .timeout = 30) {
  const std::string nobody = fmt::format("http://127.0.0.1:{}", free_port());
  const auto refused = HttpPings().ping(nobody + "/ping/secret");
  cr_assert_not(refused.ok());
  cr_expect(refused.error().cause == Cause::unreachable);
  cr_expect(refused.error().message == "ping " + nobody + "/…: Couldn't connect to server", "%s",
            refused.error().message.c_str());

  for (const std::string none : {"", "secret", "http://", "http:///secret", "file:///etc/hostname",
                                 "ftp://127.0.0.1/", "://x"}) {
    const auto pinged = HttpPings().ping(none);
    cr_assert_not(pinged.ok(), "%s", none.c_str());
    cr_expect(pinged.error().fault == Fault::rejected, "%s", none.c_str());
    cr_expect(pinged.error().message.find("secret") == std::string::npos);
  }
  const auto odd = HttpPings().ping("http://user:secret@[bad/");
  cr_assert_not(odd.ok());
  cr_expect(odd.error().message.find("secret") == std::string::npos, "%s",
            odd.error().message.c_str());
}

Test(http_pings, https_is_never_done_without_a_certificate, .timeout = 30) {
  ScriptedServer plain([](const std::string&) { return with_status(200); });
  const std::string url = "https" + plain.url().substr(4);

  const auto pinged = HttpPings(2000).ping(url);

  cr_assert_not(pinged.ok());
  cr_expect(pinged.error().message.starts_with("ping https://127.0.0.1:"), "%s",
            pinged.error().message.c_str());
}
