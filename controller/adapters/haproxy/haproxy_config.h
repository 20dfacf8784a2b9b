// What Rowlock wants of a proxy, in HAProxy's words: one frontend that finds the route of a request
// in a map, and one backend a route that holds all of its rules and slots. Pure: nothing is read or
// written here. https://docs.haproxy.org/2.6/configuration.html
#pragma once

#include "controller/base/result.h"
#include "controller/ports/proxy.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct ProxyFile {
  std::string path;  // Relative to the folder of haproxy.cfg.
  std::string text;
};

// The map from backends to modes that `set map` changes at run time.
constexpr char kModeMap[] = "mode.map";

// What stands there for mode "": every route is in the map, so that one command changes it.
constexpr char kModeLive[] = "live";

// A free slot has to have some address; nothing listens on this one.
constexpr char kFreeAddress[] = "127.0.0.1";
constexpr int kFreePort = 1;

// What a configuration says of the machine it is for.
struct ProxyPlace {
  std::string stats_socket;               // Where a worker answers.
  std::string user;                       // Whom workers run as; empty: who starts them.
  std::vector<std::string> certificates;  // The PEM files themselves.
};

// Rejected when a value cannot be said in HAProxy's words.
Result<std::vector<ProxyFile>> proxy_files(const ProxyConfig& config, const ProxyPlace& place);

// The backend's own part of haproxy.cfg; `page` is where the route's maintenance page lies, as
// ProxyFile::path. Requires: the route's values have been checked.
std::string backend_section(const std::string& home, const ProxyRoute& route,
                            const std::string& page);

std::string backend_name(std::string_view home, std::string_view route);

// The other way round; nothing when the backend is not one of this home's routes.
std::optional<std::string> route_of_backend(std::string_view home, std::string_view backend);

// The slot's server is s1, s2 …; 0 when it is not one of ours.
std::string server_name(int slot);
int slot_of_server(std::string_view server);

// What `show info` calls the description: whose configuration runs, and which.
std::string description_of(const std::string& home, std::int64_t generation);

// The generation in it; -1 when it is not one of this home.
std::int64_t generation_in(const std::string& description, const std::string& home);

}  // namespace rowlock
