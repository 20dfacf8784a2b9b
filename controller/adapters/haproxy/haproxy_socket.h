// HAProxy's runtime socket: one exchange over it, and its answers taken apart. An answer is read by
// the lines it is known by, so several may follow each other in one text.
// https://docs.haproxy.org/2.6/management.html#9.3
#pragma once

#include "controller/base/result.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

// Sends `text` and returns all that comes back until the other side closes. Cause::unreachable when
// nobody listens, Cause::deadline when it did not close in time.
Result<std::string> exchange(const std::string& socket, const std::string& text,
                             std::int64_t deadline_ms);

// The longest path that HAProxy itself can listen on: it appends to it while it binds.
constexpr std::size_t kSocketPathMax = 97;

// `show proc` of a master.
struct ProcessList {
  std::int64_t master = 0;
  std::int64_t failed = 0;  // Reloads that came to nothing.
  std::int64_t worker = 0;  // The one that takes new connections; 0: none.
  std::vector<std::int64_t> old_workers;
};
std::optional<ProcessList> parse_processes(std::string_view answer);

// `show info`.
struct WorkerFacts {
  std::string version;
  std::int64_t process = 0;
  std::string description;
};
WorkerFacts parse_info(std::string_view answer);

// `show servers state [BACKEND]`.
struct ServerState {
  std::string backend;
  std::string server;
  std::string address;
  int port = 0;
  int weight = 0;
  bool ready = false;    // Not taken out by anybody.
  bool failing = false;  // Left out by the proxy's own checks, until one passes.
};
std::vector<ServerState> parse_servers(std::string_view answer);

// `show servers conn [BACKEND]`: connections in use, by BACKEND/SERVER.
std::map<std::string, std::int64_t> parse_connections(std::string_view answer);

// `show stat -1 1 -1`: how many requests the frontend could not read since its last reload; 0 where
// it is not among them.
constexpr const char* kOfFrontends = "-1 1 -1";
std::int64_t parse_unread(std::string_view answer, std::string_view frontend);

// `show map FILE`: keys and values.
std::vector<std::pair<std::string, std::string>> parse_map(std::string_view answer);

// `show ssl cert FILE`, one after the other, by file.
struct LoadedCertificate {
  std::string fingerprint;  // SHA-1 in upper case hexadecimal.
  std::int64_t not_after_ms = 0;
  std::string names;  // Separated by blanks.
};
std::map<std::string, LoadedCertificate> parse_certificates(std::string_view answer);

}  // namespace rowlock
