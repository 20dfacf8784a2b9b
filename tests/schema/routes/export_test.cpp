// The routes for other proxies as rows in, text out: never empty, only the instances that are
// ready, the same bytes for the same rows.
#include "controller/base/json.h"
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using rowlock::Json;
using rowlock::PlanWorld;

namespace {

// The job `web` of that many instances, and the job `next` of one, both on port 80.
void jobs(PlanWorld& world, int count = 1) {
  world.sql(fmt::format(
      "INSERT INTO job (name, image, count, min_healthy_ms, drain_timeout_ms) VALUES "
      "('web', 'good:1', {}, 0, 5000), ('next', 'good:2', 1, 0, 5000);"
      "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80), ('next', 'http', 80);",
      count));
}

void route(PlanWorld& world, const std::string& name, const std::string& host,
           const std::string& path = "/") {
  world.sql(
      fmt::format("INSERT INTO route (name, host, path, job, port) VALUES "
                  "('{}', '{}', '{}', 'web', 'http')",
                  name, host, path));
}

void prove(PlanWorld& world) {
  world.settle();
  world.check_passes("web", "route:http");
  world.check_passes("next", "route:http");
  world.settle();
}

// The parts of Traefik's document, with the home's prefix of every name taken off.
struct Traefik {
  explicit Traefik(PlanWorld& world)
      : prefix("rowlock-" + world.text("SELECT id FROM home")),
        text(world.text("SELECT document FROM traefik_export")) {
    const auto parsed = Json::parse(text);
    cr_assert(parsed.ok(), "%s", text.c_str());
    http = parsed.value()["http"];
  }
  Json router(const std::string& name) const { return http["routers"][prefix + name]; }
  Json service(const std::string& name) const { return http["services"][prefix + name]; }
  Json middleware(const std::string& name) const { return http["middlewares"][prefix + name]; }
  std::string rule(const std::string& name) const { return router(name)["rule"].as_string(); }
  std::int64_t priority(const std::string& name) const {
    return router(name)["priority"].as_integer();
  }
  // "http://ADDRESS:PORT http://…", or "" when there is none or no such service.
  std::string servers(const std::string& name) const {
    std::string all;
    for (const Json& server : service(name)["loadBalancer"]["servers"].items()) {
      all += (all.empty() ? "" : " ") + server["url"].as_string();
    }
    return all;
  }

  std::string prefix;
  std::string text;
  Json http;
};

// Where the newest instance of that job answers.
std::string url_of(PlanWorld& world, const std::string& job) {
  return world.text(
      fmt::format("SELECT 'http://' || address || ':80' FROM instance "
                  "WHERE job = '{}' ORDER BY id DESC LIMIT 1",
                  job));
}

std::string cloudflared(PlanWorld& world, const std::string& format) {
  return world.text("SELECT document FROM cloudflared_export WHERE format = '" + format + "'");
}

}  // namespace

// ---- Traefik ------------------------------------------------------------------------------------

Test(export_traefik, an_empty_home_has_a_router_that_nobody_can_ask_for) {
  PlanWorld world;
  world.settle();

  const Traefik traefik(world);

  cr_expect(traefik.rule("_none") == "Host(`rowlock.invalid`)");
  cr_expect_eq(traefik.priority("_none"), 1);
  cr_expect(traefik.router("_none")["service"].as_string() == traefik.prefix + "_none");
  cr_expect(traefik.service("_none")["loadBalancer"]["servers"].is_array());
  cr_expect(traefik.servers("_none").empty());
  // An empty map would have the whole document refused.
  for (const char* part : {"routers", "services", "middlewares"}) {
    cr_expect(!traefik.http[part].members().empty(), "%s", part);
  }
}

Test(export_traefik, the_last_route_that_goes_leaves_a_document) {
  PlanWorld world;
  jobs(world);
  world.settle();
  const std::string before = Traefik(world).text;
  route(world, "site", "example.org");
  prove(world);
  cr_expect(Traefik(world).text != before);

  world.sql("DELETE FROM route");
  world.settle();

  cr_expect(Traefik(world).text == before);
}

Test(export_traefik, exact_hosts_go_before_wildcards_and_long_paths_before_short_ones) {
  PlanWorld world;
  jobs(world);
  route(world, "site", "a.example.org");
  route(world, "app", "a.example.org", "/app");
  route(world, "tick", "a.example.org", "/a`b");
  route(world, "any", "*.example.org");
  route(world, "any-app", "*.example.org", "/" + std::string(999, 'x'));
  world.settle();

  const Traefik traefik(world);

  cr_expect(traefik.rule("-site") == "Host(`a.example.org`)");
  cr_expect(traefik.rule("-app") ==
            "Host(`a.example.org`) && (Path(`/app`) || PathPrefix(`/app/`))");
  cr_expect(traefik.rule("-tick") ==
            "Host(`a.example.org`) && (Path(\"/a`b\") || PathPrefix(\"/a`b/\"))");
  cr_expect(traefik.rule("-any") == R"(HostRegexp(`^[^.]+\.example\.org$`))");
  cr_expect_gt(traefik.priority("-app"), traefik.priority("-site"));
  cr_expect_gt(traefik.priority("-site"), traefik.priority("-any-app"));
  cr_expect_gt(traefik.priority("-any-app"), traefik.priority("-any"));
  cr_expect_gt(traefik.priority("-any"), traefik.priority("_none"));
}

Test(export_traefik, the_servers_are_those_that_are_ready_through_a_cut_over) {
  PlanWorld world;
  jobs(world);
  route(world, "site", "example.org");
  world.settle();
  cr_expect(Traefik(world).servers("-site").empty(), "it is not proven");
  world.check_passes("web", "route:http");
  world.settle();
  const std::string old = url_of(world, "web");
  cr_expect(Traefik(world).servers("-site") == old, "%s", Traefik(world).text.c_str());
  world.fake_proxy().begin_session("site", 1);

  world.sql("UPDATE job SET image = 'good:3' WHERE name = 'web'");
  world.settle();
  cr_expect(url_of(world, "web") != old);
  cr_expect(Traefik(world).servers("-site") == old, "the new one is not proven");
  world.check_passes("web", "route:http");
  world.settle();
  world.pass_time(1000);

  cr_expect(world.number("SELECT count(*) FROM instance WHERE job = 'web' AND "
                         "container = 'running'") == 2);
  cr_expect(Traefik(world).servers("-site") == url_of(world, "web"),
            "the old one has a request under way, and is to get no other: %s",
            Traefik(world).text.c_str());
}

Test(export_traefik, one_that_the_proxy_has_not_taken_is_not_told) {
  PlanWorld world;
  jobs(world);
  route(world, "site", "example.org");
  world.settle();
  world.fake_proxy().set_faults([](const std::string& call, const std::string&) {
    return call == "set_slot" ? rowlock::FaultPlan::fail_before : rowlock::FaultPlan::none;
  });
  prove(world);

  cr_expect(world.text("SELECT wanted, acknowledged FROM route_target") == "ready|down");
  cr_expect(Traefik(world).servers("-site").empty());
}

Test(export_traefik, an_address_of_ipv6_stands_in_brackets) {
  PlanWorld world;
  jobs(world);
  route(world, "site", "example.org");
  prove(world);

  world.sql("UPDATE route_target SET acknowledged_address = '2001:db8::7'");

  cr_expect(Traefik(world).servers("-site") == "http://[2001:db8::7]:80");
}

Test(export_traefik, two_jobs_share_a_route_by_percent) {
  PlanWorld world;
  jobs(world, 2);
  route(world, "site", "example.org");
  world.sql("UPDATE route SET next_job = 'next', next_percent = 25, sticky_cookie = 'node'");
  world.settle();
  world.check_passes("web", "route:http");
  world.settle();
  const auto weights = [&] {
    std::string all;
    for (const Json& part : Traefik(world).service("-site")["weighted"]["services"].items()) {
      all += part["name"].as_string().substr(Traefik(world).prefix.size()) + "=" +
             std::to_string(part["weight"].as_integer(-1)) + " ";
    }
    return all;
  };
  cr_expect(weights() == "-site_job=75 -site_next_job=0 ", "who is not ready gets none: %s",
            weights().c_str());

  world.check_passes("next", "route:http");
  world.settle();

  const Traefik traefik(world);
  cr_expect(weights() == "-site_job=75 -site_next_job=25 ", "%s", weights().c_str());
  cr_expect_eq(traefik.service("-site_job")["loadBalancer"]["servers"].items().size(), 2);
  cr_expect_eq(traefik.service("-site_next_job")["loadBalancer"]["servers"].items().size(), 1);
  const Json outer = traefik.service("-site")["weighted"]["sticky"]["cookie"];
  const Json inner = traefik.service("-site_job")["loadBalancer"]["sticky"]["cookie"];
  cr_expect(outer["name"].as_string() == "node_job" && inner["name"].as_string() == "node",
            "one cookie cannot choose both");
}

Test(export_traefik, a_route_may_have_everything) {
  PlanWorld world;
  jobs(world);
  route(world, "site", "example.org", "/app");
  world.sql(
      "INSERT INTO proxy (client_header) VALUES ('CF-Connecting-IP');"
      "UPDATE route SET strip_prefix = 1, redirect_scheme = 'https', rate_limit = 100, "
      "rate_window_ms = 1500, sticky_cookie = 'node';"
      "INSERT INTO route_header (route, name, value) VALUES ('site', 'X-Quotes', "
      "'it''s \"so\" \\ ${HOME} `x` {{.}}'), ('site', 'Server', '')");
  prove(world);

  const Traefik traefik(world);

  std::string chain;
  for (const Json& name : traefik.router("-site")["middlewares"].items()) {
    chain += name.as_string().substr(traefik.prefix.size()) + " ";
  }
  cr_expect(chain == "-site_headers -site_rate_limit -site_redirect -site_strip_prefix _retry ",
            "%s", chain.c_str());
  const Json headers = traefik.middleware("-site_headers")["headers"]["customResponseHeaders"];
  cr_expect(headers["X-Quotes"].as_string() == "it's \"so\" \\ ${HOME} `x` {{.}}");
  cr_expect(headers["Server"].is_string() && headers["Server"].as_string("?").empty());
  const Json rate = traefik.middleware("-site_rate_limit")["rateLimit"];
  cr_expect(rate["average"].as_integer() == 100 && rate["burst"].as_integer() == 100);
  cr_expect(rate["period"].as_string() == "1500ms");
  cr_expect(rate["sourceCriterion"]["requestHeaderName"].as_string() == "CF-Connecting-IP");
  const Json redirect = traefik.middleware("-site_redirect")["redirectScheme"];
  cr_expect(redirect["scheme"].as_string() == "https" && redirect["permanent"].as_boolean());
  cr_expect(traefik.middleware("-site_strip_prefix")["stripPrefix"].text() ==
            R"({"prefixes":["/app"]})");
  const Json balancer = traefik.service("-site")["loadBalancer"];
  cr_expect(balancer["sticky"]["cookie"]["name"].as_string() == "node");
  cr_expect(balancer["passHostHeader"].as_boolean());
  cr_expect(traefik.router("-site")["tls"].is_null(), "it would answer https alone");
}

Test(export_traefik, a_redirect_keeps_path_and_query_and_needs_no_job) {
  PlanWorld world;
  world.sql(
      "INSERT INTO route (name, host, redirect_host, redirect_status) VALUES "
      "('old', 'example.com', 'example.org:8443', 302);"
      "INSERT INTO route (name, host, redirect_host, redirect_scheme) VALUES "
      "('older', 'example.net', 'example.org', 'https')");
  world.settle();

  const Traefik traefik(world);

  const Json old = traefik.middleware("-old_redirect")["redirectRegex"];
  cr_expect(old["regex"].as_string() == "^(https?)://[^/]+(.*)$");
  cr_expect(old["replacement"].as_string() == "${1}://example.org:8443${2}");
  cr_expect(!old["permanent"].as_boolean(true));
  const Json older = traefik.middleware("-older_redirect")["redirectRegex"];
  cr_expect(older["replacement"].as_string() == "https://example.org${2}");
  cr_expect(older["permanent"].as_boolean());
  cr_expect(traefik.service("-old")["loadBalancer"]["servers"].is_array(),
            "Traefik takes no router without a service");
}

Test(export_traefik, maintenance_and_a_pause_have_no_server) {
  PlanWorld world;
  jobs(world);
  route(world, "site", "example.org");
  prove(world);

  for (const char* mode : {"maintenance", "pause"}) {
    world.sql(fmt::format("UPDATE route SET {} = 1", mode));
    world.settle();
    cr_expect(Traefik(world).servers("-site").empty(), "%s", mode);
    world.sql(fmt::format("UPDATE route SET {} = 0", mode));
    world.settle();
    cr_expect(!Traefik(world).servers("-site").empty(), "after %s", mode);
  }
}

Test(export_traefik, the_same_rows_give_the_same_bytes_in_whatever_order_they_came) {
  const auto document = [](bool turned) {
    PlanWorld world;
    jobs(world);
    world.sql("UPDATE home SET id = 'same'");
    for (const char* name : {turned ? "b" : "a", turned ? "a" : "b"}) {
      route(world, name, std::string(name) + ".example.org");
      for (const char* header : {turned ? "X-2" : "X-1", turned ? "X-1" : "X-2"}) {
        world.sql(
            fmt::format("INSERT INTO route_header (route, name, value) VALUES "
                        "('{}', '{}', 'x')",
                        name, header));
      }
    }
    world.settle();
    return Traefik(world).text + cloudflared(world, "yaml") + cloudflared(world, "json");
  };

  cr_expect(document(false) == document(true), "%s\n%s", document(false).c_str(),
            document(true).c_str());
}

// ---- cloudflared --------------------------------------------------------------------------------

Test(export_cloudflared, an_empty_home_answers_404) {
  PlanWorld world;
  world.settle();

  cr_expect(cloudflared(world, "yaml") ==
            "ingress:\n  - service: \"http_status:404\"\noriginRequest:\n  connectTimeout: 10s");
  cr_expect(cloudflared(world, "json") == R"({"config":{"ingress":[{"service":"http_status:404"}],)"
                                          R"("originRequest":{"connectTimeout":10}}})");
}

Test(export_cloudflared, every_host_has_one_rule_and_wildcards_come_last) {
  PlanWorld world;
  jobs(world);
  route(world, "any", "*.example.org");
  route(world, "site", "b.example.org");
  route(world, "app", "b.example.org", "/app");
  route(world, "other", "a.example.org");
  world.settle();

  cr_expect(cloudflared(world, "yaml") ==
                "ingress:\n"
                "  - hostname: \"a.example.org\"\n"
                "    service: \"http://127.0.0.1:8080\"\n"
                "  - hostname: \"b.example.org\"\n"
                "    service: \"http://127.0.0.1:8080\"\n"
                "  - hostname: \"*.example.org\"\n"
                "    service: \"http://127.0.0.1:8080\"\n"
                "  - service: \"http_status:404\"\n"
                "originRequest:\n"
                "  connectTimeout: 10s",
            "%s", cloudflared(world, "yaml").c_str());
  const auto json = Json::parse(cloudflared(world, "json"));
  cr_assert(json.ok());
  const auto rules = json.value()["config"]["ingress"].items();
  cr_assert_eq(rules.size(), 4);
  cr_expect(rules[2].text() == R"({"hostname":"*.example.org","service":"http://127.0.0.1:8080"})");
  cr_expect(rules[3]["hostname"].is_null(), "only the last one catches all");
}

Test(export_cloudflared, a_listener_on_all_addresses_is_reached_on_this_machine) {
  PlanWorld world;
  jobs(world);
  route(world, "site", "example.org");
  world.sql("INSERT INTO proxy (listen) VALUES ('127.0.0.1:80')");
  const std::pair<const char*, const char*> cases[] = {
      {"0.0.0.0:80", "http://127.0.0.1:80"},
      {"[::]:8080", "http://127.0.0.1:8080"},
      {":::8080", "http://127.0.0.1:8080"},
      {"*:9", "http://127.0.0.1:9"},
      {"192.0.2.7:8000", "http://192.0.2.7:8000"},
      {"[::1]:80", "http://[::1]:80"},
      {"::1:80", "http://[::1]:80"},
  };

  for (const auto& [listen, service] : cases) {
    world.sql(fmt::format("UPDATE proxy SET listen = '{}'", listen));
    const auto json = Json::parse(cloudflared(world, "json"));
    const std::string got =
        json.value()["config"]["ingress"].items().front()["service"].as_string();
    cr_expect(got == service, "%s is reached at %s", listen, got.c_str());
  }
}

Test(export_cloudflared, over_https_the_name_that_is_asked_for_is_checked) {
  PlanWorld world;
  jobs(world);
  route(world, "site", "example.org");
  route(world, "any", "*.example.org");
  world.sql("INSERT INTO proxy (listen, listen_tls) VALUES ('', '0.0.0.0:8443')");

  cr_expect(cloudflared(world, "yaml") ==
                "ingress:\n"
                "  - hostname: \"example.org\"\n"
                "    service: \"https://127.0.0.1:8443\"\n"
                "    originRequest:\n"
                "      originServerName: \"example.org\"\n"
                "  - hostname: \"*.example.org\"\n"
                "    service: \"https://127.0.0.1:8443\"\n"
                "    originRequest:\n"
                "      matchSNItoHost: true\n"
                "  - service: \"http_status:404\"\n"
                "originRequest:\n"
                "  connectTimeout: 10s",
            "%s", cloudflared(world, "yaml").c_str());
  cr_expect(cloudflared(world, "json").find(R"("originRequest":{"matchSNItoHost":true})") !=
            std::string::npos);
}

Test(export_cloudflared, a_proxy_that_waits_for_the_proxy_protocol_is_an_obstacle) {
  PlanWorld world;
  jobs(world);
  world.sql("INSERT INTO proxy (accept_proxy) VALUES (1)");
  cr_expect_eq(world.number("SELECT count(*) FROM export_obstacle"), 0, "nothing leads there");

  route(world, "site", "example.org");

  cr_expect(world.text("SELECT target FROM export_obstacle") == "cloudflared");
}
