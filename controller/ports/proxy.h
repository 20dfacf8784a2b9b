// The port to the proxy that carries the bytes of every route.
//
// Protocol. save → start, and from then on save → reload whenever the generation is another one;
// what stands in a slot, the mode of a route and a certificate change at run time without either.
// What set_slot() changed is gone with the next start or reload unless it was saved too, so a
// caller saves first what must not be found otherwise. observe() is the truth, and asks everything;
// look() asks one slot. From any worker thread, several at once: the adapter serialises what the
// proxy cannot take at the same time. watch() has a thread of its own.
#pragma once

#include "controller/base/result.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

// Where an instance stands in a route. A route has a fixed number of slots until the next reload;
// what stands in them changes at run time.
struct ProxySlot {
  int number = 0;       // From 1.
  bool ready = false;   // Whether it is given requests.
  std::string address;  // An IP; empty: the slot is free.
  int port = 0;
  int weight = 1;  // 0 to 256, its share among the ready ones of its route.
};

// A public hostname and path prefix, and what is done with its requests.
struct ProxyRoute {
  std::string name;
  std::string host;             // example.org, or *.example.org: one label in place of the star.
  std::string path;             // "/" or "/app": it, and what lies under it. Normalised.
  bool strip_prefix = false;    // The instance sees /x in place of /app/x.
  bool raw_path = false;        // The instance sees the path as written. Not with strip_prefix.
  std::string redirect_scheme;  // http | https: requests of the other one are redirected.
  std::string redirect_host;    // Every request is redirected there, path and query kept.
  int redirect_status = 308;
  std::vector<std::pair<std::string, std::string>> headers;  // Of answers; empty value: taken out.
  std::int64_t rate_limit = 0;  // Requests of one client in a window; more get 429. 0: any.
  std::int64_t rate_window_ms = 0;
  std::string sticky_cookie;     // A client stays with its instance by it. Empty: no cookie.
  std::string maintenance_page;  // HTML, shown with 503 in that mode.
  std::int64_t response_timeout_ms = 0;
  // To how many others an idempotent request goes when an instance ended it without an answer; one
  // that could not be sent goes to another in any case.
  std::int64_t retries = 1;
  // Requests are held so long after the last slot stopped being ready. 0: they get 503 at once.
  std::int64_t hold_max_ms = 0;
  std::string mode;              // "", "maintenance", or "pause:MS": requests are held so long.
  std::vector<ProxySlot> slots;  // All there are, free ones too, by number.
};

// All that a proxy needs to run by itself.
struct ProxyConfig {
  std::int64_t generation = 0;  // Another one when a running proxy must reload to be so.
  std::string home;             // Every section carries it in its name.
  std::string listen;           // ADDRESS:PORT for HTTP; empty: none.
  std::string listen_tls;       // ADDRESS:PORT for HTTPS and HTTP/2; empty: none.
  bool accept_proxy = false;    // Clients begin with the PROXY protocol.
  std::string client_header;    // Gives the client's address, believed from this machine alone.
  std::int64_t head_kb = 16;    // A longer head of a request is refused, and one of more headers.
  std::int64_t headers_max = 101;
  std::vector<std::string> certificates;  // PEM files with chain and key, or folders of them.
  std::vector<ProxyRoute> routes;
};

// What the proxy says of one slot.
struct SlotReport {
  std::string route;
  int number = 0;
  bool ready = false;    // It was told to give it requests, and may at any moment.
  bool failing = false;  // For now it gives none: it has found that none arrive.
  std::string address;
  int port = 0;
  int weight = 0;
  std::int64_t sessions = 0;  // Requests under way, in every worker, old ones too.
  bool lingers = false;       // A worker from before a reload may still give it requests.
};

struct CertificateReport {
  std::string file;
  bool stale = false;             // The file holds another one than the proxy has loaded.
  std::int64_t not_after_ms = 0;  // End of the one that is loaded.
  std::string names;              // Its hostnames, separated by blanks.
  std::string error;              // Why the file cannot be used; empty when it can.
};

struct ProxyReport {
  std::string version;
  std::int64_t process = 0;
  std::int64_t generation = 0;    // Of the configuration that runs; -1: not one of this home.
  std::vector<SlotReport> slots;  // All but free ones that are down.
  std::vector<std::pair<std::string, std::string>> modes;  // Route and mode, but for mode "".
  std::vector<CertificateReport> certificates;
  std::int64_t unread = 0;   // Requests whose heads it could not read, since its last reload.
  bool files_moved = false;  // A folder of certificates holds other files than when saved.
};

// What carries the bytes. Rowlock says what stands in which slot; the proxy says what it does with
// it. It goes on without Rowlock, from what was last saved.
class Proxy {
 public:
  virtual ~Proxy() = default;

  // Writes the configuration whole, has the proxy check it, and only then makes it the one that the
  // next start or reload takes, whoever asks for that. Rejected in the proxy's own words when it is
  // no good; the one before stays.
  virtual Result<> save(const ProxyConfig& config) = 0;

  // Starts it, detached, from what was last saved. One that runs counts as started. Rejected for a
  // proxy that somebody else manages.
  virtual Result<> start() = 0;

  // Has it take what was last saved, losing no request; returns once that runs.
  virtual Result<> reload() = 0;

  // Ends it; requests under way are cut off. One that does not run counts as stopped.
  virtual Result<> stop() = 0;

  // All that it does. Cause::unreachable when none runs.
  virtual Result<ProxyReport> observe() = 0;

  // What it says of one slot, now. Cause::not_found when what runs has no such slot.
  virtual Result<SlotReport> look(const std::string& route, int slot) = 0;

  // Makes one slot of what runs so, and returns what the proxy then says of it. Requests under way
  // in a slot that is made down go on. Cause::not_found when what runs has no such slot.
  virtual Result<SlotReport> set_slot(const std::string& route, const ProxySlot& slot) = 0;

  // Cause::not_found when what runs has no such route.
  virtual Result<> set_mode(const std::string& route, const std::string& mode) = 0;

  // Has what runs take a certificate anew from its file. Rejected when that is no good; the one
  // before stays in use.
  virtual Result<> load_certificate(const std::string& file) = 0;

  // Blocks until the proxy that runs now has ended, and calls `ended` then; returns at once when
  // none runs, and within a second once `stop` is set. A hint only.
  virtual Result<> watch(const std::atomic<bool>& stop, const std::function<void()>& ended) = 0;
};

}  // namespace rowlock
