// One path has one spelling: what a client sends, and which instance gets which path of it, through
// a real HAProxy.
#include "tests/live/haproxy/haproxy_rig.h"

#include <criterion/criterion.h>

#include <string>

using namespace rowlock;

namespace {

// "WHO PATH" of the instance that got it, or the status when none did.
std::string fate(const Heard& heard) {
  if (heard.status != 200) return std::to_string(heard.status);
  const std::string line = heard.line();
  const std::size_t begin = line.find(' ') + 1;
  return heard.who() + " " + line.substr(begin, line.rfind(' ') - begin);
}

void expect_fate(const HaproxyRig& rig, const Ask& asked, const std::string& wanted) {
  const std::string got = fate(rig.ask(asked));
  cr_expect(got == wanted, "%s %s%s: %s, not %s", asked.http2 ? "h2" : "h1", asked.host.c_str(),
            asked.target.c_str(), got.c_str(), wanted.c_str());
}

struct Case {
  std::string target;
  const char* fate;
};

const Case kCases[] = {
    // As they are.
    {"/", "whole /"},
    {"/admin", "admin /admin"},
    {"/admin/", "admin /admin/"},
    {"/admins", "whole /admins"},
    {"/.well-known/x", "whole /.well-known/x"},
    {"/a/.../b", "whole /a/.../b"},
    {"/..a/b../.c", "whole /..a/b../.c"},
    {"/a;v=1/b", "whole /a;v=1/b"},
    {"/!$&'()*+,-.;=:@_~", "whole /!$&'()*+,-.;=:@_~"},
    {"/\"<>[]^`{|}", "whole /\"<>[]^`{|}"},

    // Slashes.
    {"//admin/", "admin /admin/"},
    {"///admin//x", "admin /admin/x"},
    {"//evil.com", "whole /evil.com"},
    {"/a//", "whole /a/"},

    // Dots.
    {"/./admin/", "admin /admin/"},
    {"/admin/.", "admin /admin/"},
    {"/.//admin", "admin /admin"},
    {"/x/../admin/", "admin /admin/"},
    {"/x/y/../../admin", "admin /admin"},
    {"/admin/..", "whole /"},
    {"/admin/../x", "whole /x"},
    {"/x//../admin", "admin /admin"},
    {"/..", "400"},
    {"/../admin", "400"},
    {"/x/../../admin", "400"},
    {"//../admin", "400"},

    // Escapes.
    {"/%61dmin/", "admin /admin/"},
    {"/%61%64%6D%69%6e", "admin /admin"},
    {"/%2e/admin", "admin /admin"},
    {"/x/%2e%2E/admin", "admin /admin"},
    {"/x/.%2e/admin", "admin /admin"},
    {"/%2e%2e/x", "400"},
    {"/%7e%2d%5f%30", "whole /~-_0"},
    {"/a%2fb%3a%20c", "whole /a%2Fb%3A%20c"},
    {"/%25%36%31", "whole /%2561"},
    {"/%2561dmin", "whole /%2561dmin"},
    {"/%c3%a9", "accent /%C3%A9"},
    {"/%C3%A9/x", "accent /%C3%A9/x"},
    {"/%C3", "whole /%C3"},
    {"/%", "400"},
    {"/%4", "400"},
    {"/%zz", "400"},
    {"/%%36%31", "400"},
    {"/100%/x", "400"},

    // What some would read as another path.
    {"/x/..%2fadmin", "400"},
    {"/x%2f../admin", "400"},
    {"/x%2F..%2fadmin", "400"},
    {"/x/%2e%2e%2fadmin", "400"},
    {"/.%2fadmin", "400"},
    {"/x/..%5cadmin", "400"},
    {"/x/..;/admin", "400"},
    {"/x/..;v=1/admin", "400"},
    {"/x/..%3b/admin", "400"},
    {"/.;/admin", "400"},
    {"/x\\..\\admin", "400"},
    {"/\\evil.com", "400"},
    {"/%5cevil.com", "whole /%5Cevil.com"},

    // Control characters.
    {"/%00", "400"},
    {"/admin%00", "400"},
    {"/%0a", "400"},
    {"/%1F", "400"},
    {"/%7f", "400"},
    {"/\x7f", "400"},
    {"/\xc3\xa9", "400"},

    // A query stays, whatever it holds.
    {"/?", "whole /?"},
    {"//admin/?", "admin /admin/?"},
    {"//admin?a=//b/../c/./d&e=%61%2f%zz%00%&f=?",
     "admin /admin?a=//b/../c/./d&e=%61%2f%zz%00%&f=?"},
    {"/?/../%2e%2e/;\\^{}|", "whole /?/../%2e%2e/;\\^{}|"},

    // No path at all.
    {"*", "whole *"},
    {"http://example.org//admin/../admin/./x?y", "admin http://example.org/admin/x?y"},
    {"http://example.org/%2e%2e/admin", "400"},
    {"http://example.org", "whole http://example.org"},
    {"admin", "400"},
    {".evil.com", "400"},
    {"@evil.com", "400"},
    {"", "400"},
};

}  // namespace

Test(live_haproxy_paths, each_is_routed_and_forwarded_in_its_one_spelling, .timeout = 120) {
  const WebServer whole("whole"), admin("admin"), accent("accent");
  HaproxyRig rig;
  rig.add_route("whole", "example.org", "/", {&whole});
  rig.add_route("admin", "example.org", "/admin", {&admin});
  rig.add_route("accent", "example.org", "/%C3%A9", {&accent});
  rig.run();

  for (const Case& each : kCases) {
    Ask asked;
    asked.target = each.target;
    expect_fate(rig, asked, each.fate);
  }
}

Test(live_haproxy_paths, http2_is_read_alike, .timeout = 60) {
  const WebServer whole("whole"), admin("admin");
  HaproxyRig rig;
  rig.make_certificate(rig.folder / "a.pem", "example.org");
  rig.config.listen_tls = "127.0.0.1:" + std::to_string(rig.tls_port);
  rig.config.certificates = {rig.folder / "a.pem"};
  rig.add_route("whole", "example.org", "/", {&whole});
  rig.add_route("admin", "example.org", "/admin", {&admin});
  rig.run();

  const Case cases[] = {
      {"//%61dmin/./x?a=//%zz", "admin /admin/x?a=//%zz"},
      {"/x/../admin", "admin /admin"},
      {"/../admin", "400"},
      {"/%00", "400"},
      {"/a\\b", "400"},
      {"/\xc3\xa9", "400"},
  };
  for (const Case& each : cases) {
    Ask asked;
    asked.tls = asked.http2 = true;
    asked.target = each.target;
    expect_fate(rig, asked, each.fate);
  }
}

Test(live_haproxy_paths, nobody_goes_round_maintenance_or_a_rate_limit, .timeout = 60) {
  const WebServer whole("whole"), admin("admin"), scripts("scripts");
  HaproxyRig rig;
  rig.add_route("whole", "example.org", "/", {&whole});
  rig.add_route("admin", "example.org", "/admin", {&admin}).mode = "maintenance";
  ProxyRoute& limited = rig.add_route("scripts", "example.org", "/cgi-bin", {&scripts});
  limited.rate_limit = 2;
  limited.rate_window_ms = 60'000;
  rig.run();

  for (const char* target : {"/admin/", "//admin/", "/./admin/", "/x/../admin/", "/%61dmin/",
                             "/%2E/admin/", "/x/%2e%2e/admin/"}) {
    cr_expect(rig.get("example.org", target).status == 503, "%s", target);
  }
  const std::pair<const char*, int> asked[] = {
      {"/cgi-bin/x", 200},          {"//cgi-bin/x", 200},  {"//cgi-bin/x", 429},
      {"/./cgi-bin/x", 429},        {"/%63gi-bin/x", 429}, {"/cgi%2Dbin/x", 429},
      {"/cgi-bin/../cgi-bin", 429}, {"/other", 200},
  };
  for (const auto& [target, status] : asked) {
    const int got = rig.get("example.org", target).status;
    cr_expect(got == status, "%s: %d", target, got);
  }
}

Test(live_haproxy_paths, what_is_left_of_a_stripped_path_is_a_path, .timeout = 60) {
  const WebServer whole("whole"), strip("strip");
  HaproxyRig rig;
  rig.add_route("whole", "example.org", "/", {&whole});
  rig.add_route("strip", "example.org", "/strip", {&strip}).strip_prefix = true;
  rig.run();

  const Case cases[] = {
      {"/strip", "strip /"},
      {"/strip/", "strip /"},
      {"/strip//evil.com", "strip /evil.com"},
      {"//strip///evil.com//", "strip /evil.com/"},
      {"/%73trip/a%2fb?c=//", "strip /a%2Fb?c=//"},
      {"/strip/strip/x", "strip /strip/x"},
      {"/strip/../x", "whole /x"},
      {"/strip/..", "whole /"},
      {"/strip/.//x", "strip /x"},
      {"/strip/../../x", "400"},
      {"/strip/\\evil.com", "400"},
      {"/x/../strip/x", "strip /x"},
  };
  for (const Case& each : cases) {
    Ask asked;
    asked.target = each.target;
    expect_fate(rig, asked, each.fate);
  }
}

Test(live_haproxy_paths, a_redirect_stays_on_its_host, .timeout = 60) {
  const WebServer web("web");
  HaproxyRig rig;
  rig.add_route("scheme", "a.org", "/", {&web}).redirect_scheme = "https";
  rig.add_route("host", "b.org", "/", {&web}).redirect_host = "www.b.org";
  ProxyRoute& raw = rig.add_route("raw", "c.org", "/", {&web});
  raw.redirect_scheme = "https";
  raw.raw_path = true;
  rig.run();

  const struct {
    const char* host;
    const char* target;
    const char* location;  // Empty: 400.
  } cases[] = {
      {"a.org", "//evil.com", "https://a.org/evil.com"},
      {"a.org", "/%2e/%2fevil.com?q=//%zz", "https://a.org/%2Fevil.com?q=//%zz"},
      {"a.org", ".evil.com", ""},
      {"a.org", "@evil.com", ""},
      {"a.org", "/\\evil.com", ""},
      {"a.org", "/../evil.com", ""},
      {"a.org", "http://a.org//evil.com", "https://a.org/evil.com"},
      {"a.org", "http://a.org", "https://a.org"},
      {"b.org", "//evil.com//x", "http://www.b.org/evil.com/x"},
      {"b.org", ":80@evil.com/", ""},
      {"c.org", "//evil.com/%2f", "https://c.org//evil.com/%2f"},
      {"c.org", "/../evil.com", ""},
  };
  for (const auto& each : cases) {
    const Heard heard = rig.get(each.host, each.target);
    const bool refused = each.location[0] == '\0';
    const auto location = heard.headers.find("location");
    const std::string got = location == heard.headers.end() ? "" : location->second;
    cr_expect(heard.status == (refused ? 400 : 308) && got == each.location, "%s %s: %d %s",
              each.host, each.target, heard.status, got.c_str());
  }
}

Test(live_haproxy_paths, a_raw_path_is_routed_by_its_spelling_and_forwarded_as_written,
     .timeout = 60) {
  const WebServer whole("whole"), raw("raw");
  HaproxyRig rig;
  rig.add_route("whole", "example.org", "/", {&whole});
  rig.add_route("raw", "example.org", "/raw", {&raw}).raw_path = true;
  rig.add_route("root", "root.org", "/", {&raw}).raw_path = true;
  rig.run();

  const struct {
    const char* host;
    const char* target;
    const char* fate;
  } cases[] = {
      {"example.org", "/raw/@a%2fb//c/./d?e=%zz", "raw /raw/@a%2fb//c/./d?e=%zz"},
      {"example.org", "//%72aw/x", "raw //%72aw/x"},
      {"example.org", "/x/../raw", "raw /x/../raw"},
      {"example.org", "/raw/../x", "whole /x"},
      {"example.org", "/raw/%00", "400"},
      {"example.org", "/raw/../../x", "400"},
      {"example.org", "/raw/%zz", "400"},
      {"root.org", "//a//?", "raw //a//?"},
      {"root.org", "*", "raw *"},
      {"root.org", "http://root.org", "raw http://root.org"},
      {"root.org", "http://root.org//a/../b", "raw http://root.org//a/../b"},
  };
  for (const auto& each : cases) {
    Ask asked;
    asked.host = each.host;
    asked.target = each.target;
    expect_fate(rig, asked, each.fate);
  }
}
