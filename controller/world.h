// The ports: one abstract class for everything outside this process. Reconcilers see the world
// through these alone; the adapters behind them are in controller/adapters/, the fakes in
// tests/fakes/, and one conformance suite a port runs on both.
//
// Every call is plain, blocking and bounded by a deadline of its own; it may be made from any
// worker thread, several at once. Every change may be repeated: "already so" is success. A call can
// fail, hang until its deadline, or succeed and lose its answer: then the caller looks again before
// it decides anything.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

// ---- Containers ---------------------------------------------------------------------------------

struct PortBinding {
  int port = 0;                  // Inside the container.
  std::string protocol = "tcp";  // tcp | udp
  std::string host_ip;           // Where it is published; empty with publish = false.
  int host_port = 0;             // 0: the engine picks a free one.
  bool publish = false;
};

struct Mount {
  std::string type;    // bind | volume | tmpfs
  std::string source;  // A folder of the node (bind), a volume's name (volume), empty (tmpfs).
  std::string path;    // Where the container sees it.
  bool read_only = false;
};

// All that a container is made from. Hardened unless a field says otherwise: all capabilities
// dropped but those named, no new privileges, a bound on processes. The engine's own restart policy
// is always off.
struct ContainerSpec {
  std::string
      name;  // Derived from the row, so that a second create collides instead of duplicating.
  std::string home;      // Label rowlock.home: whose it is.
  std::string job;       // Label rowlock.job.
  std::string instance;  // Label rowlock.instance.
  std::string image;
  std::string arch;  // The node's: amd64, arm64 …; an image for another one is rejected. Empty: not
                     // compared.
  std::optional<std::vector<std::string>> command;  // Absent: the image's own.
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<PortBinding> ports;
  std::vector<Mount> mounts;
  std::string user;                       // Empty: the image's own.
  std::string network;                    // bridge | host | none | a network's name
  double cpus = 0;                        // 0: no limit.
  std::int64_t memory_mb = 0;             // 0: no limit.
  std::int64_t pids_max = 0;              // 0: no limit.
  std::vector<std::string> capabilities;  // Kept, such as NET_BIND_SERVICE.
  bool new_privileges = false;
  bool read_only_root = false;
  std::string stop_signal;  // SIGTERM …
  std::int64_t stop_timeout_ms = 10000;

  // The folder of the node with its secrets, seen read-only at kSecretsPath. Empty: none.
  std::string secrets_folder;
  // The program of the node that gives it its secret environment, seen read-only at kLauncherPath:
  // it begins in place of the image's own entrypoint, which it then becomes. Empty: none.
  std::string launcher;
};

constexpr const char* kSecretsPath = "/run/secrets";
constexpr const char* kLauncherPath = "/run/rowlock-launch";
// In kSecretsPath: what the launcher adds to the environment, as NAME=VALUE, each ended by a NUL.
constexpr const char* kEnvironmentFile = ".environment";

enum class ContainerState { created, running, paused, exited };
std::string_view name_of(ContainerState state);  // "created" …

// As JSON: [{"port":80,"protocol":"tcp","host_ip":"127.0.0.1","host_port":32768}].
std::string text_of(const std::vector<PortBinding>& published);

// What the engine says of one container.
struct Container {
  std::string name;
  std::string id;
  std::string home;      // Label; empty when it is not a Rowlock container.
  std::string job;       // Label.
  std::string instance;  // Label.
  std::string image;
  ContainerState state = ContainerState::created;
  std::string address;  // Where its ports answer from this machine: an IP; 127.0.0.1 on the host
                        // network; empty if none.
  std::vector<PortBinding> published;  // With the host ports the engine picked.
  // From inspect() alone, list() leaves these empty:
  std::optional<int> exit_code;  // Of an exited container.
  bool out_of_memory = false;
  std::string error;  // The engine's own words when it could not start.
};

struct EngineFacts {
  std::string version;
  std::string arch;  // As images name it: amd64, arm64.
  double cpus = 0;
  std::int64_t memory_mb = 0;
};

struct ExecResult {
  int exit_code = 0;
  std::string output;  // The last 4 KB of stdout and stderr.
};

class ContainerRuntime {
 public:
  virtual ~ContainerRuntime() = default;

  virtual Result<EngineFacts> facts() = 0;

  // Every container of the engine, whoever made it, in any state.
  virtual Result<std::vector<Container>> list() = 0;

  // One container, or nothing when it does not exist.
  virtual Result<std::optional<Container>> inspect(const std::string& name) = 0;

  // Brings the image to the node. Rejected when the registry does not have it, or not for this
  // architecture.
  virtual Result<> pull(const std::string& image) = 0;

  // Makes, without starting it. Cause::image_absent when the image must be pulled first. A
  // container of that name and home that is there already counts as made; one of another home is
  // rejected.
  virtual Result<> create(const ContainerSpec& spec) = 0;

  virtual Result<> start(const std::string& name) = 0;

  // Sends the signal, waits, kills. A container that has ended or is not there counts as stopped; a
  // paused one is ended.
  virtual Result<> stop(const std::string& name, const std::string& signal,
                        std::int64_t timeout_ms) = 0;

  // Sends its first process a signal, such as SIGHUP. Cause::not_found when it does not run.
  virtual Result<> signal(const std::string& name, const std::string& signal) = 0;

  // Ends a pause.
  virtual Result<> resume(const std::string& name) = 0;

  // Removes it with its anonymous volumes, whatever its state. One that is not there counts as
  // removed.
  virtual Result<> remove(const std::string& name) = 0;

  // The last lines of stdout and stderr together, at most 4 KB, valid UTF-8; empty when the
  // container is not there.
  virtual Result<std::string> log_tail(const std::string& name, int lines) = 0;

  // Runs a command inside, as the container's user. Cause::deadline when the command has begun and
  // not ended after timeout_ms, and only then.
  virtual Result<ExecResult> exec(const std::string& name, const std::vector<std::string>& command,
                                  std::int64_t timeout_ms) = 0;

  // Blocks, telling the name of each container of `home` that ended, was paused, resumed or
  // removed, until `stop` is set (noticed within a second) or the stream breaks. Hints only: some
  // may be lost. A start is no news: Rowlock made it.
  virtual Result<> watch(const std::string& home, const std::atomic<bool>& stop,
                         const std::function<void(const std::string& container)>& hint) = 0;
};

// ---- Health probes ------------------------------------------------------------------------------

struct Probe {
  enum class Type { http, tcp };
  Type type = Type::tcp;
  std::string address;
  int port = 0;
  std::string path;  // http; begins with a slash.
  std::int64_t timeout_ms = 0;
};

struct ProbeResult {
  bool passed = false;
  std::string detail;  // "HTTP 503", "connection refused": one short phrase.
};

// Probes are many and tiny, so they run on the loop thread without blocking it.
class Prober {
 public:
  virtual ~Prober() = default;

  // Calls `done` once, later, on the loop thread, at most timeout_ms after. An HTTP probe passes
  // with a status of 200 to 299, following no redirect. A prober that is destroyed calls nothing
  // any more.
  virtual void probe(const Probe& probe, std::function<void(const ProbeResult&)> done) = 0;
};

// ---- The proxy ----------------------------------------------------------------------------------

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
  std::string path;             // "/" or "/app": it, and what lies under it.
  bool strip_prefix = false;    // The instance sees /x in place of /app/x.
  std::string redirect_scheme;  // http | https: requests of the other one are redirected.
  std::string redirect_host;    // Every request is redirected there, path and query kept.
  int redirect_status = 308;
  std::vector<std::pair<std::string, std::string>> headers;  // Of answers; empty value: taken out.
  std::int64_t rate_limit = 0;  // Requests of one client in a window; more get 429. 0: any.
  std::int64_t rate_window_ms = 0;
  std::string sticky_cookie;     // A client stays with its instance by it. Empty: no cookie.
  std::string maintenance_page;  // HTML, shown with 503 in that mode.
  std::int64_t response_timeout_ms = 0;
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
  std::vector<std::string> certificates;  // PEM files with chain and key, or folders of them.
  std::vector<ProxyRoute> routes;
};

// What the proxy says of one slot.
struct SlotReport {
  std::string route;
  int number = 0;
  bool ready = false;
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

// ---- Secrets in files ---------------------------------------------------------------------------

struct SecretFile {
  std::string name;  // Of a-z, A-Z, 0-9, '.', '_' and '-'.
  SecretBytes content;
  int mode = 0400;
  int user = 0;  // Its owner, as numbers that mean something inside the container.
  int group = 0;
};

// Folders of this machine in memory (tmpfs), one for each instance: nothing in them is written to a
// disk but by swapping, and only root and the instance that a folder is mounted into can look
// inside.
class SecretFolders {
 public:
  virtual ~SecretFolders() = default;

  // Makes the folder hold just these files. Each is replaced in one step: whoever reads sees the
  // old or the new one, whole. Broken, with what to do, when this machine has no tmpfs to use.
  virtual Result<> write(const std::string& folder, const std::vector<SecretFile>& files) = 0;

  // Puts one file into a folder that is there, in place of the one of that name. Cause::not_found
  // when the folder is not there.
  virtual Result<> put(const std::string& folder, const SecretFile& file) = 0;

  // With all that is in it. One that is not there counts as removed.
  virtual Result<> remove(const std::string& folder) = 0;

  // The names of the folders there are.
  virtual Result<std::vector<std::string>> list() = 0;

  // Where the folder is, or would be, on this machine: to be mounted.
  virtual Result<std::string> path(const std::string& folder) = 0;

  // Where the launcher is on this machine; it is put there first when it is not.
  virtual Result<std::string> launcher() = 0;
};

// ---- Key sets -----------------------------------------------------------------------------------

// The public keys of issuers whose tokens are believed.
class KeySets {
 public:
  static constexpr std::size_t kBytesMax = 1024 * 1024;

  virtual ~KeySets() = default;

  // What stands at an absolute path or a URL. Rejected when it is no key set.
  virtual Result<std::string> read(const std::string& source) = 0;
};

// ---- PostgreSQL ---------------------------------------------------------------------------------

// A server as an administrator reaches it.
struct PostgresAddress {
  std::string url;  // postgresql://USER@HOST:PORT/DATABASE, without a password.
  std::shared_ptr<const SecretBytes> password;  // Null: none is needed.
};

// A role of a bounded life, made for one instance.
struct PostgresRole {
  std::string name;                             // Of a-z, 0-9 and '_'.
  std::shared_ptr<const SecretBytes> password;  // Of letters and digits.
  std::int64_t valid_until_ms = 0;
  // What makes it, or makes an end of it; {{name}}, {{password}} and {{expiration}} are filled in.
  // The password is filled in as a SCRAM verifier, so that no log of the server ever has it.
  std::vector<std::string> statements;
};

class Postgres {
 public:
  virtual ~Postgres() = default;

  // In one transaction. A role of that name that is there is made anew.
  virtual Result<> create_role(const PostgresAddress& server, const PostgresRole& role) = 0;

  // Moves the end of its life. Cause::not_found when there is no such role.
  virtual Result<> renew_role(const PostgresAddress& server, const std::string& name,
                              std::int64_t valid_until_ms) = 0;

  // Ends its sessions, runs the statements if there are any, drops what it owns in this database,
  // and then it. One that is not there counts as dropped.
  virtual Result<> drop_role(const PostgresAddress& server, const std::string& name,
                             const std::vector<std::string>& statements) = 0;

  // The roles whose names begin so.
  virtual Result<std::vector<std::string>> roles(const PostgresAddress& server,
                                                 const std::string& prefix) = 0;
};

// ---- Time ---------------------------------------------------------------------------------------

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now_ms() const = 0;  // Milliseconds since the epoch.
};

// ---- All of it ----------------------------------------------------------------------------------

// In world_backups.h.
struct StoreAddress;
class ObjectStore;
class DatabaseDumps;
class HomeCopies;
class Pings;

class World {
 public:
  virtual ~World() = default;

  // The engine of a node, by the node's driver and endpoint; kept for the life of the world.
  // Thread-safe.
  virtual ContainerRuntime& runtime(const std::string& driver, const std::string& endpoint) = 0;
  virtual Prober& prober() = 0;

  // The proxy of this home: its own, or with a socket the one that somebody else manages. Kept for
  // the life of the world. Thread-safe.
  virtual Proxy& proxy(const std::string& socket) = 0;
  virtual SecretFolders& secret_folders() = 0;  // Of this home. Thread-safe.
  virtual KeySets& key_sets() = 0;              // Thread-safe.
  virtual Postgres& postgres() = 0;             // Thread-safe.
  virtual Clock& clock() = 0;

  // Made anew for every step; of an address that is none, every call is rejected.
  virtual std::shared_ptr<ObjectStore> object_store(const StoreAddress& address) = 0;
  virtual DatabaseDumps& dumps() = 0;     // Thread-safe.
  virtual HomeCopies& home_copies() = 0;  // Of this home. Thread-safe.
  virtual Pings& pings() = 0;             // Thread-safe.

  // Set once Rowlock is to stop: what takes long gives up soon.
  virtual const std::atomic<bool>& ending() const = 0;
};

}  // namespace rowlock
