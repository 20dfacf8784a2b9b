// The text that HAProxy starts from. Read kHead, kPaths, kRouting and frontend_section() in turn:
// that is the way of a request until it reaches its backend, which is in haproxy_backend.cpp.
#include "controller/adapters/haproxy/haproxy_config.h"

#include "controller/adapters/haproxy/haproxy_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <strings.h>

namespace rowlock {

namespace {

// Both bounds are for all requests of this proxy together.
constexpr int kFilesMax = 50000;  // Two a connection; HAProxy takes fewer when the system does.
constexpr char kHardStopAfter[] = "5m";

// Holds requests of a paused route, and of one without a usable server: until it has one, or the
// last has been gone for too long. It looks often while that is likely to be short. Loaded once for
// all threads, so that its map is the one that `set map` changes.
constexpr char kHoldLua[] = R"lua(-- Written by Rowlock.
local modes = Map.new("mode.map", Map._str)

local function is_empty(txn, route)
  if txn.f:nbsrv(route) > 0 then return false end
  -- A worker from before a reload counts none of those that it has.
  for server in pairs(core.backends[route].servers) do
    if txn.f:srv_is_up(route .. "/" .. server) == 1 then return false end
  end
  return true
end

core.register_action("rowlock-hold", {"http-req"}, function(txn)
  local route = txn:get_var("txn.route")
  local begun = core.now()
  local empty_ms = core.backends[route]:get_stats()["lastchg"] * 1000
  local hold_max_ms = txn:get_var("txn.hold_max_ms")
  while true do
    local mode = modes:lookup(route) or ""
    local bound_ms = tonumber(string.match(mode, "^pause:(%d+)$"))
    if mode == "live" and hold_max_ms and is_empty(txn, route) then
      bound_ms = hold_max_ms - empty_ms
    end
    if not bound_ms then return end
    local now = core.now()
    local held_ms = (now.sec - begun.sec) * 1000 + (now.usec - begun.usec) / 1000
    if held_ms >= bound_ms then
      txn:set_var("txn.held_out", true)
      return
    end
    core.msleep(held_ms < 1000 and 10 or 50)
  end
end, 0)
)lua";

// Who is well is Rowlock's to judge. The checks are for the moments until it has, and for times in
// which it is away: a server that takes no connection several times in a row is left out at once,
// so that retries do not meet it again, and is back as soon as it takes one. A few failures bring
// the next look forward and make it decide (sudden-death, fastinter); as many again before it leave
// the server out without it. So one that lives is left out for a tenth of a second at most.
// {0} description, {1} stats socket, {2} files, {3} hard-stop-after, {4} name of the defaults,
// {5} the line for the user, {6} and {7} the bounds of a head.
// Without noreuseport, two proxies on one address would share its requests and nobody would know.
// HAProxy calls normalize-uri experimental, hence expose-experimental-directives.
constexpr char kHead[] = R"(# Written by Rowlock, and written anew whenever its rows change.
global
    description {0}
    expose-experimental-directives
    default-path config
    fd-hard-limit {2}
    noreuseport
    hard-stop-after {3}
    stats socket {1} mode 600 level admin expose-fd listeners
    ssl-default-bind-options ssl-min-ver TLSv1.2
    tune.bufsize {6}
    tune.http.maxhdr {7}
    lua-load hold.lua
{5}
defaults {4}
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 10s
    timeout tunnel 1h
    balance roundrobin
    option redispatch 1
    option idle-close-on-response
    option dontlognull
    timeout check 2s
    default-server check inter 10s fastinter 100ms downinter 1s fall 3 rise 1
    default-server observe layer4 error-limit 3 on-error sudden-death
)";

// One path has one spelling before anything is decided by it, and what an instance could read as
// another path than the proxy is refused: characters that stand in no path (a backslash is a slash
// to browsers and to others), escapes of control characters, and segments of dots that are left,
// since they lead out of the root or an escaped slash or a parameter is beside them. Escapes come
// first: they may hide dots. The query is laid aside, or its escapes would be judged too.
constexpr char kPaths[] = R"(
    http-request deny deny_status 400 if { path -m reg '[^!-~]|[\\]' }
    http-request set-var(txn.path_as_written) pathq
    http-request set-var(txn.query) query if { pathq -m sub ? }
    http-request set-pathq %[path] if { var(txn.query) -m found }
    http-request normalize-uri percent-decode-unreserved strict
    http-request normalize-uri percent-to-uppercase strict
    http-request normalize-uri path-merge-slashes
    http-request normalize-uri path-strip-dot
    http-request normalize-uri path-strip-dotdot
    http-request deny deny_status 400 if { path -m reg '%([01].|7F)' }
    http-request deny deny_status 400 if { path -m reg '(/|%2F|%5C)[.][.]?(/|;|%2F|%3B|%5C|$)' }
    http-request set-pathq %[path]?%[var(txn.query)] if { var(txn.query) -m found }
)";

// The longest key in routes.map that begins host/path/ names the backend. Both sides end in a
// slash, which is what keeps /apple out of /app. The host comes without port and closing dot; what
// is no name of one (user@name, .name, *.name, name/path) leads nowhere, nor to a route with a
// star.
constexpr char kRouting[] =
    R"(
    acl names_a_host req.fhdr(host) -m reg ^[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]*)?$
    http-request deny deny_status 400 if { req.fhdr(host) -m found } !names_a_host
    http-request set-var(txn.host) req.fhdr(host),field(1,:),lower,rtrim(.)
    http-request set-var(txn.parent) var(txn.host),field(2,.,0)
    http-request set-var(txn.path) path
    http-request set-var(txn.route) var(txn.host),concat(,txn.path,/),map_beg(routes.map)
)"
    R"(    http-request set-var(txn.route) str("*."),concat(,txn.parent),concat(,txn.path,/),)"
    R"(map_beg(routes.map) if !{ var(txn.route) -m found }
    http-request return status 404 content-type text/plain string "no route leads there\n")"
    R"( if !{ var(txn.route) -m found }
    http-request set-var(txn.mode) var(txn.route),map(mode.map)
    use_backend %[var(txn.route)]
)";

// By which applications and their frameworks let a proxy say who asks, and how.
constexpr std::string_view kTellsTheClient[] = {
    "Forwarded",      "X-Real-IP",        "X-Client-IP",         "Client-IP",
    "True-Client-IP", "CF-Connecting-IP", "CF-Connecting-IPv6",  "Fastly-Client-IP",
    "X-Original-For", "X-Original-Proto", "X-Cluster-Client-IP", "X-ProxyUser-IP"};

// What takes all of them out but `believed`, also as written with underscores, since many
// applications read both as one. HAProxy knows names in lower case.
std::string others_taken_out(const std::string& believed) {
  std::string names = "x[-_]forwarded[-_].*";
  for (const std::string_view name : kTellsTheClient) {
    if (::strcasecmp(std::string(name).c_str(), believed.c_str()) == 0) continue;
    names += '|';
    for (const char c : name) {
      names += c == '-' ? "[-_]" : std::string(1, static_cast<char>(std::tolower(c)));
    }
  }
  return fmt::format("    http-request del-header ^({})$ -m reg\n", names);
}

// Who asks, and how. Whoever claims it from elsewhere is not believed, and what an instance sees of
// it is what was found here. Nor does a client say which headers end at the next hop.
std::string client_rules(const std::string& client_header) {
  std::string rules = R"(
    http-request set-var(txn.proto) str(http)
    http-request set-var(txn.proto) str(https) if { ssl_fc }
)";
  if (!client_header.empty()) {
    rules += fmt::format(
        "    http-request set-var(txn.believed) bool(true) if {{ src 127.0.0.0/8 ::1 }}\n"
        "    http-request set-var(txn.proto) req.hdr(X-Forwarded-Proto),lower"
        " if {{ var(txn.believed) -m bool }} {{ req.hdr(X-Forwarded-Proto) -i http https }}\n"
        "    http-request set-src req.hdr_ip({0},-1) if {{ var(txn.believed) -m bool }}"
        " {{ req.hdr_ip({0},-1) -m found }}\n"
        "    http-request del-header {0} unless {{ var(txn.believed) -m bool }}\n",
        client_header);
  }
  return rules + others_taken_out(client_header) +
         "    http-request set-header Connection upgrade if { req.hdr(Upgrade) -m found }\n"
         "    http-request del-header Connection unless { req.hdr(Upgrade) -m found }\n"
         "    http-request set-header X-Forwarded-For %[src]\n"
         "    http-request set-header X-Forwarded-Proto %[var(txn.proto)]\n"
         "    http-request set-header X-Forwarded-Host %[req.fhdr(host)]"
         " if { req.fhdr(host) -m found }\n";
}

std::string frontend_section(const ProxyConfig& config, const std::string& name) {
  if (config.listen.empty() && config.listen_tls.empty()) return "";
  const char* const proxied = config.accept_proxy ? " accept-proxy" : "";
  std::string section = fmt::format("\nfrontend {0} from {0}\n", name);
  if (!config.listen.empty()) {
    section += fmt::format("    bind {}{}\n", quoted(config.listen), proxied);
  }
  if (!config.listen_tls.empty()) {
    section += fmt::format("    bind {} ssl crt-list crt-list alpn h2,http/1.1{}\n",
                           quoted(config.listen_tls), proxied);
  }
  return section + client_rules(config.client_header) + kPaths + kRouting;
}

// The key of routes.map, always with a slash at its end.
std::string route_key(const ProxyRoute& route) {
  std::string key = route.host + route.path;
  std::transform(
      key.begin(), key.begin() + static_cast<std::ptrdiff_t>(route.host.size()), key.begin(),
      [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  if (key.back() != '/') key += '/';
  return key;
}

// The first thing about a route that cannot be said, or "".
std::string obstacle_in(const ProxyRoute& route) {
  const std::string host = route.host.rfind("*.", 0) == 0 ? route.host.substr(2) : route.host;
  if (!is_section_name(route.name)) return "its name has characters that HAProxy does not allow";
  if (!is_host_name(host)) return "its host is no hostname: " + route.host;
  if (route.path.empty() || route.path.front() != '/' || !is_one_line(route.path) ||
      route.path.find(' ') != std::string::npos) {
    return "its path has to begin with a slash and hold no blanks: " + route.path;
  }
  if (route.raw_path && route.strip_prefix) {
    return "no prefix can be taken off a path that stays as it was written";
  }
  for (const auto& [name, value] : route.headers) {
    if (!is_token(name)) return "a header's name has characters that HTTP does not allow: " + name;
    if (!is_one_line(value)) return "the value of the header " + name + " has a line break in it";
  }
  if (!route.sticky_cookie.empty() && !is_token(route.sticky_cookie)) {
    return "its cookie's name has characters that HTTP does not allow: " + route.sticky_cookie;
  }
  const std::size_t colon = std::min(route.redirect_host.find(':'), route.redirect_host.size());
  const bool has_port_well =
      route.redirect_host.find_first_not_of("0123456789", colon + 1) == std::string::npos ||
      colon == route.redirect_host.size();
  if (!route.redirect_host.empty() &&
      (!is_host_name(route.redirect_host.substr(0, colon)) || !has_port_well)) {
    return "it redirects to what is no hostname: " + route.redirect_host;
  }
  if (!route.redirect_scheme.empty() && route.redirect_scheme != "http" &&
      route.redirect_scheme != "https") {
    return "it redirects to a scheme that is neither http nor https: " + route.redirect_scheme;
  }
  if (!is_mode(route.mode)) return "its mode is unknown: " + route.mode;
  for (const ProxySlot& slot : route.slots) {
    if (!slot.address.empty() && !is_ip(slot.address)) {
      return "a slot's address is no IP address: " + slot.address;
    }
  }
  return "";
}

Error impossible(const std::string& what) { return Error{Fault::rejected, Cause::other, what, ""}; }

Result<> check_values(const ProxyConfig& config, const ProxyPlace& place) {
  if (!is_section_name(config.home)) return impossible("the home's id is no name: " + config.home);
  for (const std::string& value : {config.listen, config.listen_tls, place.stats_socket}) {
    // No quotes keep HAProxy from expanding a $ in an address.
    if (!is_one_line(value) || value.find('$') != std::string::npos) {
      return impossible("HAProxy takes no $ and no line break in an address: " + value);
    }
  }
  if (!config.client_header.empty() && !is_token(config.client_header)) {
    return impossible("the client's header is no name of a header: " + config.client_header);
  }
  for (const std::string& file : place.certificates) {
    // Its lists of certificates know neither quotes nor escapes.
    if (!is_one_line(file) || file.find_first_of(" []#") != std::string::npos) {
      return impossible(
          "HAProxy cannot take a certificate from a path with blanks, brackets or #: " + file);
    }
  }
  if (!config.listen_tls.empty() && place.certificates.empty()) {
    return Error{Fault::rejected, Cause::other, "there is no certificate for " + config.listen_tls,
                 "name a PEM file with chain and key, or a folder with *.pem files in it"};
  }
  for (const ProxyRoute& route : config.routes) {
    const std::string obstacle = obstacle_in(route);
    if (!obstacle.empty()) return impossible("route " + route.name + ": " + obstacle);
  }
  return Done{};
}

}  // namespace

Result<std::vector<ProxyFile>> proxy_files(const ProxyConfig& config, const ProxyPlace& place) {
  TRY(check_values(config, place));
  const std::string name = "rowlock-" + config.home;
  std::string text = fmt::format(kHead, quoted(description_of(config.home, config.generation)),
                                 quoted(place.stats_socket), kFilesMax, kHardStopAfter, name,
                                 place.user.empty() ? "" : "    user " + quoted(place.user) + "\n",
                                 config.head_kb * 1024, config.headers_max) +
                     frontend_section(config, name);
  std::string routes;
  std::string modes;
  std::vector<ProxyFile> files;
  std::map<std::string, std::string> pages;  // Most routes have the same one: path by content.
  for (const ProxyRoute& route : config.routes) {
    const std::string backend = backend_name(config.home, route.name);
    std::string& page = pages[route.maintenance_page];
    if (page.empty() && !route.maintenance_page.empty()) {
      page = fmt::format("pages/{}.html", pages.size());
      files.push_back({page, route.maintenance_page});
    }
    text += backend_section(config.home, route, page);
    routes += route_key(route) + " " + backend + "\n";
    modes += backend + " " + (route.mode.empty() ? kModeLive : route.mode) + "\n";
  }
  std::string list;
  for (const std::string& file : place.certificates) list += file + "\n";
  files.push_back({"haproxy.cfg", std::move(text)});
  files.push_back({"routes.map", std::move(routes)});
  files.push_back({kModeMap, std::move(modes)});
  files.push_back({"hold.lua", kHoldLua});
  files.push_back({"crt-list", std::move(list)});
  return files;
}

std::string backend_name(std::string_view home, std::string_view route) {
  return fmt::format("rowlock-{}-{}", home, route);
}

std::optional<std::string> route_of_backend(std::string_view home, std::string_view backend) {
  const std::string prefix = backend_name(home, "");
  if (backend.substr(0, prefix.size()) != prefix || backend.size() == prefix.size()) {
    return std::nullopt;
  }
  return std::string(backend.substr(prefix.size()));
}

std::string server_name(int slot) { return "s" + std::to_string(slot); }

int slot_of_server(std::string_view server) {
  if (server.empty() || server.front() != 's') return 0;
  int slot = 0;
  const char* const end = server.data() + server.size();
  const auto [rest, status] = std::from_chars(server.data() + 1, end, slot);
  return status == std::errc() && rest == end && slot > 0 ? slot : 0;
}

std::string description_of(const std::string& home, std::int64_t generation) {
  return fmt::format("rowlock {} generation {}", home, generation);
}

std::int64_t generation_in(const std::string& description, const std::string& home) {
  const std::string start = fmt::format("rowlock {} generation ", home);
  if (home.empty() || description.rfind(start, 0) != 0) return -1;
  std::int64_t generation = -1;
  std::from_chars(description.data() + start.size(), description.data() + description.size(),
                  generation);
  return generation;
}

}  // namespace rowlock
