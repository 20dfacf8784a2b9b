// One route as a backend of HAProxy. Its rules run from top to bottom, and the order is the
// meaning: who asks too often gets nothing, not even a redirect; a held request may find the route
// in maintenance when it is let go.
#include "controller/adapters/haproxy/haproxy_config.h"
#include "controller/adapters/haproxy/haproxy_text.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr int kClientsMax = 100'000;  // Whose requests are counted; the oldest are forgotten.
constexpr int kMaintenanceRetryS = 60;
constexpr int kConnectRetries = 3;  // Where they are all there is: nothing was sent.

constexpr char kMaintenancePage[] =
    "<!doctype html><title>Maintenance</title><p>Back in a few minutes.\\n";

std::string rate_rules(const ProxyRoute& route) {
  if (route.rate_limit <= 0 || route.rate_window_ms <= 0) return "";
  return fmt::format(
      "    stick-table type ipv6 size {0} expire {1}ms store http_req_rate({1}ms)\n"
      "    http-request track-sc0 src\n"
      "    http-request return status 429 content-type text/plain string \"too many requests\\n\""
      " hdr Retry-After {2} if {{ sc_http_req_rate(0) gt {3} }}\n",
      kClientsMax, route.rate_window_ms, (route.rate_window_ms + 999) / 1000, route.rate_limit);
}

std::string redirect_rules(const ProxyRoute& route) {
  const std::string scheme =
      route.redirect_scheme.empty() ? "%[var(txn.proto)]" : route.redirect_scheme;
  const std::string host = route.redirect_host.empty() ? "%[var(txn.host)]" : route.redirect_host;
  const std::string to = quoted(scheme + "://" + host + "%[pathq]");
  if (!route.redirect_host.empty()) {
    // Without a condition HAProxy warns that the rules after it are in vain, which is what is
    // meant.
    return fmt::format("    http-request redirect code {} location {} if TRUE\n",
                       route.redirect_status, to);
  }
  if (!route.redirect_scheme.empty()) {
    return fmt::format(
        "    http-request redirect code {} location {} unless {{ var(txn.proto) -m str {} }}\n",
        route.redirect_status, to, route.redirect_scheme);
  }
  return "";
}

// Every route can be paused and put in maintenance at run time, so all have these.
std::string mode_rules(const ProxyRoute& route, const std::string& page) {
  const std::string answer = route.maintenance_page.empty()
                                 ? fmt::format("string \"{}\"", kMaintenancePage)
                                 : "file " + quoted(page);
  std::string when_empty;
  std::string rules;
  if (route.hold_max_ms > 0) {
    rules = fmt::format("    http-request set-var(txn.hold_max_ms) int({})\n", route.hold_max_ms);
    when_empty = " || { nbsrv lt 1 }";
  }
  rules +=
      "    http-request lua.rowlock-hold if { var(txn.mode) -m beg pause: }" + when_empty + "\n";
  return rules +
         fmt::format(
             "    http-request return status 503 content-type text/plain string \"held too "
             "long\\n\""
             " hdr Retry-After 1 if {{ var(txn.held_out) -m bool }}\n"
             "    http-request set-var(txn.mode) var(txn.route),map({})\n"
             "    http-request return status 503 content-type \"text/html; charset=utf-8\" {}"
             " hdr Retry-After {} hdr Cache-Control no-store if {{ var(txn.mode) -m str "
             "maintenance }}\n",
             kModeMap, answer, kMaintenanceRetryS);
}

// What the client wrote, before whatever sends the path on. A target without a path (*) stays.
std::string raw_path_rule(const ProxyRoute& route) {
  if (!route.raw_path) return "";
  return "    http-request set-pathq %[var(txn.path_as_written)] if { path -m beg / }\n";
}

// What comes after the prefix and its slash, behind a slash. The path is normalised: no other slash
// follows.
std::string strip_rule(const ProxyRoute& route) {
  if (!route.strip_prefix || route.path == "/") return "";
  const std::size_t prefix = route.path.size() + (route.path.back() == '/' ? 0 : 1);
  return fmt::format("    http-request set-path '/%[path,bytes({})]'\n", prefix);
}

// After every answer, those that HAProxy makes itself too: a policy holds for redirects as well.
std::string header_rules(const ProxyRoute& route) {
  std::string rules;
  for (const auto& [name, value] : route.headers) {
    rules += value.empty() ? fmt::format("    http-after-response del-header {}\n", quoted(name))
                           : fmt::format("    http-after-response set-header {} {}\n", quoted(name),
                                         quoted(format_literal(value)));
  }
  return rules;
}

// A request that its instance did not answer may be what ended it, so it is let near few others,
// and one that may change something near none. HAProxy has one number for both kinds of retries.
std::string retry_rules(const ProxyRoute& route) {
  if (route.retries == 0) {
    return fmt::format("    retries {}\n    retry-on conn-failure\n", kConnectRetries);
  }
  return fmt::format(
      "    retries {}\n"
      "    retry-on conn-failure empty-response\n"
      "    http-request disable-l7-retry unless"
      " {{ method GET HEAD OPTIONS PUT DELETE TRACE }}\n",
      route.retries);
}

std::string server_line(const ProxyRoute& route, const ProxySlot& slot) {
  const bool is_ready = slot.ready && !slot.address.empty();
  const std::string address = slot.address.empty() ? kFreeAddress
                              : slot.address.find(':') == std::string::npos
                                  ? slot.address
                                  : "[" + slot.address + "]";
  const std::string name = server_name(slot.number);
  return fmt::format("    server {} {}:{} weight {}{}{}\n", name, address,
                     slot.address.empty() ? kFreePort : slot.port, slot.weight,
                     is_ready ? "" : " disabled",
                     route.sticky_cookie.empty() ? "" : " cookie " + name);
}

}  // namespace

std::string backend_section(const std::string& home, const ProxyRoute& route,
                            const std::string& page) {
  std::string section =
      fmt::format("\nbackend {} from rowlock-{}\n", backend_name(home, route.name), home);
  if (route.response_timeout_ms > 0) {
    section += fmt::format("    timeout server {}ms\n", route.response_timeout_ms);
  }
  section += rate_rules(route) + raw_path_rule(route) + redirect_rules(route) +
             mode_rules(route, page) + strip_rule(route);
  section += retry_rules(route) + header_rules(route);
  if (!route.sticky_cookie.empty()) {
    section += fmt::format("    cookie {} insert indirect nocache httponly attr SameSite=Lax\n",
                           quoted(route.sticky_cookie));
  }
  for (const ProxySlot& slot : route.slots) section += server_line(route, slot);
  return section;
}

}  // namespace rowlock
