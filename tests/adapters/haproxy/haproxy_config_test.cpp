// HAProxy's texts, and HAProxy's own word on them: whatever a row may hold, it is a value or it is
// refused.
#include "controller/adapters/haproxy/haproxy_config.h"

#include "controller/adapters/haproxy/haproxy_folder.h"
#include "controller/adapters/haproxy/haproxy_text.h"
#include "controller/adapters/process/command.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace rowlock;

namespace {

constexpr char kSocket[] = "/tmp/rowlock-none/worker.sock";

ProxyRoute web() {
  ProxyRoute route;
  route.name = "web";
  route.host = "Example.org";
  route.path = "/app";
  route.response_timeout_ms = 60'000;
  route.slots = {
      {1, true, "10.0.0.1", 8080, 3}, {2, false, "fd00::1", 80, 1}, {3, false, "", 0, 1}};
  return route;
}

ProxyConfig with(const ProxyRoute& route) {
  ProxyConfig config;
  config.generation = 7;
  config.home = "abc";
  config.listen = "127.0.0.1:80";
  config.routes = {route};
  return config;
}

std::string file(const ProxyConfig& config, const std::string& path) {
  const auto files = proxy_files(config, {kSocket, "", {}});
  cr_assert(files.ok(), "%s", files.ok() ? "" : files.error().message.c_str());
  for (const ProxyFile& each : files.value()) {
    if (each.path == path) return each.text;
  }
  return "";
}

bool has_line(const std::string& text, const std::string& line) {
  return text.find("\n    " + line + "\n") != std::string::npos;
}

// What haproxy -c says: nothing when it is content and warns of nothing.
std::string complaint(const ProxyConfig& config) {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "pages");
  const auto files = proxy_files(config, {kSocket, "", {}});
  if (!files.ok()) return files.error().message;
  for (const ProxyFile& each : files.value()) write(folder / each.path, each.text);
  const auto checked =
      run_command({haproxy_binary().value(), "-c", "-f", folder / "haproxy.cfg"}, 30'000);
  cr_assert(checked.ok());
  const std::string& output = checked.value().output;
  const bool is_clean = checked.value().exit_code == 0 && output.find("[") == std::string::npos;
  return is_clean ? "" : output;
}

void expect_no_complaint(const ProxyConfig& config, const std::string& what) {
  const std::string said = complaint(config);
  cr_expect(said.empty(), "%s: %s", what.c_str(), said.c_str());
}

void expect_words(const std::string& output, const std::string& words) {
  const std::string got = haproxy_words(output);
  cr_expect(got == words, "%s", got.c_str());
}

}  // namespace

Test(haproxy_config, a_route_is_a_backend_with_all_of_its_slots) {
  const std::string text = file(with(web()), "haproxy.cfg");

  cr_expect(text.find("\nbackend rowlock-abc-web from rowlock-abc\n") != std::string::npos);
  cr_expect(has_line(text, "server s1 10.0.0.1:8080 weight 3"));
  cr_expect(has_line(text, "server s2 [fd00::1]:80 weight 1 disabled"));
  cr_expect(has_line(text, "server s3 127.0.0.1:1 weight 1 disabled"));
  cr_expect(has_line(text, "timeout server 60000ms"));
  cr_expect(file(with(web()), "routes.map") == "example.org/app/ rowlock-abc-web\n");
  cr_expect(file(with(web()), "mode.map") == "rowlock-abc-web live\n");
  cr_expect(has_line(text, "description 'rowlock abc generation 7'"));
}

Test(haproxy_config, a_failed_request_goes_to_so_many_others) {
  ProxyRoute route = web();
  const std::string once = file(with(route), "haproxy.cfg");
  route.retries = 0;
  const std::string none = file(with(route), "haproxy.cfg");

  cr_expect(has_line(once, "retries 1") && has_line(once, "option redispatch 1"));
  cr_expect(has_line(once, "retry-on conn-failure empty-response"));
  cr_expect(has_line(none, "retry-on conn-failure"));
  cr_expect(none.find("empty-response") == std::string::npos);
}

// Each line begins behind the one before.
Test(haproxy_config, a_path_is_normalised_before_anything_looks_at_it) {
  const std::string text = file(with(web()), "haproxy.cfg");
  const char* const lines[] = {"expose-experimental-directives",
                               "frontend rowlock-abc",
                               "http-request set-var(txn.path_as_written) pathq",
                               "http-request set-pathq %[path] if",
                               "normalize-uri percent-decode-unreserved strict",
                               "normalize-uri percent-to-uppercase strict",
                               "normalize-uri path-merge-slashes",
                               "normalize-uri path-strip-dot\n",
                               "normalize-uri path-strip-dotdot\n",
                               "http-request deny deny_status 400 if { path -m reg",
                               "http-request set-pathq %[path]?%[var(txn.query)] if",
                               "http-request set-var(txn.path) path\n",
                               "use_backend",
                               "backend rowlock-abc-web"};
  std::size_t at = 0;
  for (const char* line : lines) {
    at = text.find(line, at);
    cr_assert(at != std::string::npos, "%s", line);
  }
}

Test(haproxy_config, a_raw_path_is_given_back_before_it_is_sent_on) {
  ProxyRoute route = web();
  route.redirect_scheme = "https";
  const std::string plain = file(with(route), "haproxy.cfg");
  route.raw_path = true;
  const std::string raw = file(with(route), "haproxy.cfg");

  const std::string rule = "http-request set-pathq %[var(txn.path_as_written)]";
  cr_expect(plain.find(rule) == std::string::npos);
  cr_assert(raw.find(rule) != std::string::npos);
  cr_expect(raw.find(rule) < raw.find("http-request redirect"));
}

Test(haproxy_config, haproxy_takes_it_without_a_warning, .timeout = 60) {
  ProxyRoute full = web();
  full.strip_prefix = true;
  full.headers = {{"X-A", "1"}, {"Server", ""}};
  full.rate_limit = 10;
  full.rate_window_ms = 1500;
  full.sticky_cookie = "seat";
  full.maintenance_page = "<h1>%[src] 'x' \"y\" \\ #</h1>";
  full.mode = "pause:5000";
  full.retries = 3;
  full.hold_max_ms = 5000;
  ProxyRoute moved = web();
  moved.name = "moved";
  moved.host = "*.example.org";
  moved.redirect_host = "example.org";
  moved.redirect_scheme = "https";
  ProxyRoute raw = web();
  raw.name = "raw";
  raw.host = "raw.example.org";
  raw.raw_path = true;
  ProxyConfig all = with(full);
  all.routes.push_back(moved);
  all.routes.push_back(raw);
  all.accept_proxy = true;
  all.client_header = "CF-Connecting-IP";
  ProxyConfig silent = with(web());
  silent.listen = "";
  ProxyConfig none = with(web());
  none.routes.clear();

  expect_no_complaint(all, "all");
  expect_no_complaint(silent, "silent");
  expect_no_complaint(none, "none");
}

Test(haproxy_config, odd_values_stay_values, .timeout = 60) {
  const char* const odd[] = {"'",     "\"",        "\\",       "#",   "%",         "%[src]",
                             "%{",    "${HOME}",   "$HOME",    "a b", " lead",     "trail ",
                             "'\\''", "\"$(id)\"", "x } if {", "%%[", "é\xff\xfe", "\\x41\\n"};
  for (const char* value : odd) {
    ProxyRoute route = web();
    route.headers = {{"X-Odd", value}};
    expect_no_complaint(with(route), std::string("header ") + value);
  }
  for (const char* path : {"/a'b", "/a\"b", "/a\\b", "/#", "/%41", "/$x", "/a{b}", "/é"}) {
    ProxyRoute route = web();
    route.path = path;
    route.strip_prefix = true;
    expect_no_complaint(with(route), std::string("path ") + path);
  }
}

Test(haproxy_config, what_cannot_be_said_is_refused) {
  const std::pair<const char*, std::function<void(ProxyConfig&)>> cases[] = {
      {"a header's value of two lines",
       [](ProxyConfig& c) {
         c.routes[0].headers = {{"X", "a\n    http-request deny"}};
       }},
      {"a header's name with a blank",
       [](ProxyConfig& c) {
         c.routes[0].headers = {{"X Y", "a"}};
       }},
      {"a path with a blank", [](ProxyConfig& c) { c.routes[0].path = "/a rowlock-abc-other"; }},
      {"a path with a line break", [](ProxyConfig& c) { c.routes[0].path = "/a\n"; }},
      {"a path without a slash", [](ProxyConfig& c) { c.routes[0].path = "a"; }},
      {"a prefix of what stays as it was written",
       [](ProxyConfig& c) { c.routes[0].strip_prefix = c.routes[0].raw_path = true; }},
      {"a host with a slash", [](ProxyConfig& c) { c.routes[0].host = "a.org/x"; }},
      {"a star in the middle", [](ProxyConfig& c) { c.routes[0].host = "a.*.org"; }},
      {"a host to go to", [](ProxyConfig& c) { c.routes[0].redirect_host = "%[src]"; }},
      {"a scheme to go to", [](ProxyConfig& c) { c.routes[0].redirect_scheme = "ftp"; }},
      {"a cookie", [](ProxyConfig& c) { c.routes[0].sticky_cookie = "a b"; }},
      {"a mode", [](ProxyConfig& c) { c.routes[0].mode = "pause:1s"; }},
      {"a name", [](ProxyConfig& c) { c.routes[0].name = "../x"; }},
      {"a slot's address", [](ProxyConfig& c) { c.routes[0].slots[0].address = "unix@/x"; }},
      {"an address to listen on", [](ProxyConfig& c) { c.listen = ":80\n    bind :81"; }},
      {"TLS without a certificate", [](ProxyConfig& c) { c.listen_tls = ":443"; }},
      {"the client's header", [](ProxyConfig& c) { c.client_header = "A B"; }},
      {"the home", [](ProxyConfig& c) { c.home = "a b"; }},
  };
  for (const auto& [what, spoil] : cases) {
    ProxyConfig config = with(web());
    spoil(config);
    const auto files = proxy_files(config, {kSocket, "", {}});
    cr_expect(!files.ok() && files.error().fault == Fault::rejected, "%s", what);
  }
  cr_expect(!proxy_files(with(web()), {kSocket, "", {"/a b.pem"}}).ok());
}

Test(haproxy_config, names_go_there_and_back) {
  cr_expect(route_of_backend("abc", backend_name("abc", "web-1")) == "web-1");
  for (const char* other : {"rowlock-abc", "rowlock-abc-", "rowlock-abcd-web", "web", "MASTER"}) {
    cr_expect(!route_of_backend("abc", other).has_value(), "%s", other);
  }
  cr_expect(slot_of_server(server_name(12)) == 12);
  for (const char* other : {"", "s", "s0", "s-1", "sx", "s1x", "web"}) {
    cr_expect(slot_of_server(other) == 0, "%s", other);
  }
  cr_expect(generation_in(description_of("abc", 42), "abc") == 42);
  for (const char* other : {"", "rowlock abcd generation 1", "rowlock abc generation x"}) {
    cr_expect(generation_in(other, "abc") == -1, "%s", other);
  }
}

Test(haproxy_config, complaints_come_without_the_noise) {
  expect_words(
      "[NOTICE]   (1) : haproxy version is 2.6\n"
      "[ALERT]    (1) : config : parsing [/a b/haproxy.cfg:12] : 'bind' : invalid address\n"
      "[ALERT]    (1) : config : more\n",
      "'bind' : invalid address");
  expect_words("[ALERT]    (7) : Starting frontend a: cannot bind\n",
               "Starting frontend a: cannot bind");
  expect_words("[ALERT]    (7) : config : Proxy 'a': none at [/a/haproxy.cfg:29] (use 'crt').\n",
               "Proxy 'a': none at [/a/haproxy.cfg:29] (use 'crt').");
  expect_words("", "no reason given");
}
