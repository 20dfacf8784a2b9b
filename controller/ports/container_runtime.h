// The port to a container engine: the one of this machine, or of another node.
//
// Protocol. A container goes none → create → start → (ends) → stop → remove; pull comes before
// create when that said Cause::image_absent, and resolve before both: what a container is made from
// is named so that it can be no other. Every call may be made in any state and repeated:
// what is so already is success. Names are the caller's, so that a call whose answer was lost can
// be repeated without a second container. From any worker thread, several at once; watch() has a
// thread of its own for as long as it lasts. A runtime lives as long as its World.
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
  std::string nonce;     // Label rowlock.nonce: made with the row, and known to no other.
  std::string image;
  std::string mirror;  // As RegistryAccess has it: where the image may have come from.
  std::string arch;  // The node's: amd64, arm64 …; an image for another one is rejected. Empty: not
                     // compared.
  std::optional<std::vector<std::string>> command;  // Absent: the image's own.
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<PortBinding> ports;
  std::vector<Mount> mounts;
  std::string user;                       // Empty: the image's own.
  std::string network;                    // bridge | host | none | a network's name
  double cpus = 0;                        // 0: no limit.
  std::int64_t cpu_shares = 0;            // Beside others when all want more; 0: the engine's own.
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
  // What the names of its kept volumes begin with: see kept_volumes(). Empty: it keeps none, and
  // what its image declares lies in anonymous volumes of the engine's, which go with the container.
  std::string volume_prefix;
};

constexpr const char* kSecretsPath = "/run/secrets";
constexpr const char* kLauncherPath = "/run/rowlock-launch";
// In kSecretsPath: what the launcher adds to the environment, as NAME=VALUE, each ended by a NUL.
constexpr const char* kEnvironmentFile = ".environment";

// The volumes that keep what the image declares as data (VOLUME in its Dockerfile): one for each
// declared path at which nothing is mounted otherwise. Their names follow from the prefix and the
// path alone, so that a container of the same prefix finds what an earlier one wrote.
std::vector<Mount> kept_volumes(const ContainerSpec& spec,
                                const std::vector<std::string>& declared);

// As JSON: [{"path":"/data","source":"rowlock-7f-db-1-data"}].
std::string text_of(const std::vector<Mount>& kept);

// Of all that a container is made from but its name and labels; label rowlock.made_from.
std::string fingerprint_of(const ContainerSpec& spec);

enum class ContainerState { created, running, paused, exited };
std::string_view name_of(ContainerState state);  // "created" …

// As JSON: [{"port":80,"protocol":"tcp","host_ip":"127.0.0.1","host_port":32768}].
std::string text_of(const std::vector<PortBinding>& published);

// What the engine says of one container.
struct Container {
  std::string name;
  std::string id;
  std::string home;       // Label; empty when it is not a Rowlock container.
  std::string job;        // Label.
  std::string instance;   // Label.
  std::string nonce;      // Label.
  std::string made_from;  // Label.
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

// Where the engine keeps its images: a file system of the node.
struct DiskUse {
  std::int64_t total_bytes = 0;
  std::int64_t free_bytes = 0;  // For those who are not root.
};

// Where a name is looked up.
enum class ImageSource { node, registry };

// How a registry is asked. Empty: as the docker command line would.
struct RegistryAccess {
  // Asked first, and the image's own registry when it does not answer well: host[:port][/path].
  std::string mirror;
  // Null: what the docker command line's own files and helpers know.
  std::shared_ptr<const SecretBytes> username;
  std::shared_ptr<const SecretBytes> password;
};

struct ExecResult {
  int exit_code = 0;
  std::string output;  // The last 4 KB of stdout and stderr.
};

// Who drives a home on an engine: an object of the engine, whose name is made of home and epoch, so
// that of two who ask for one epoch one gets it. The highest epoch counts.
struct Claim {
  std::string home;
  std::int64_t epoch = 0;  // From 1.
  std::string holder;      // Made anew at each start of a controller.
  std::string place;       // Of the home's folder: a copy of it is at another.
  std::string says;        // For people: which process, where, since when.
};

class ContainerRuntime {
 public:
  virtual ~ContainerRuntime() = default;

  virtual Result<EngineFacts> facts() = 0;

  // Every container of the engine, whoever made it, in any state.
  virtual Result<std::vector<Container>> list() = 0;

  // One container, or nothing when it does not exist.
  virtual Result<std::optional<Container>> inspect(const std::string& name) = 0;

  // What the name stands for now: NAME@sha256:…, the digest that its registry gives it, or, of an
  // image on the node that came from no registry of that name, its id, sha256:…. On the node,
  // Cause::image_absent when it is not there. In the registry, rejected when that does not have it.
  virtual Result<std::string> resolve(const std::string& image, ImageSource source,
                                      const RegistryAccess& access) = 0;

  // Brings the image to the node. Rejected when the registry does not have it, or not for this
  // architecture.
  virtual Result<> pull(const std::string& image, const RegistryAccess& access) = 0;

  // Takes the name off the node, also the one that it has in that mirror, and with its last name
  // the image. One that is not there counts as removed. Cause::exists when a container, in whatever
  // state, is made from it.
  virtual Result<> remove_image(const std::string& image, const std::string& mirror) = 0;

  // Nothing where it cannot be known, as of an engine on another machine.
  virtual Result<std::optional<DiskUse>> disk() = 0;

  // Makes, without starting it. Cause::image_absent when the image must be pulled first. A
  // container of that name that is there already counts as made when home, nonce and fingerprint
  // are the same; any other is rejected with Cause::exists. Returns the volumes that it keeps: one
  // that is not there yet is made, with the home's label and what the image has at its path.
  virtual Result<std::vector<Mount>> create(const ContainerSpec& spec) = 0;

  virtual Result<> start(const std::string& name) = 0;

  // Sends the signal, waits, kills. A container that has ended or is not there counts as stopped; a
  // paused one is ended.
  virtual Result<> stop(const std::string& name, const std::string& signal,
                        std::int64_t timeout_ms) = 0;

  // Sends its first process a signal, such as SIGHUP. Cause::not_found when it does not run.
  virtual Result<> signal(const std::string& name, const std::string& signal) = 0;

  // Ends a pause.
  virtual Result<> resume(const std::string& name) = 0;

  // Removes it with its anonymous volumes, whatever its state; the kept ones stay. One that is not
  // there counts as removed.
  virtual Result<> remove(const std::string& name) = 0;

  // The highest claim on a home, or nothing when nobody ever claimed it.
  virtual Result<std::optional<Claim>> claim_on(const std::string& home) = 0;

  // Makes the claim, and takes away those of lower epochs. Returns what stands under its epoch:
  // another's, when that one came first.
  virtual Result<Claim> claim(const Claim& claim) = 0;

  // The last lines of stdout and stderr together, at most 4 KB, valid UTF-8; empty when the
  // container is not there.
  virtual Result<std::string> log_tail(const std::string& name, int lines) = 0;

  // Runs a command inside, as the container's user. Cause::deadline when the command has begun and
  // not ended after timeout_ms, and only then; not when this process itself came too late to see.
  virtual Result<ExecResult> exec(const std::string& name, const std::vector<std::string>& command,
                                  std::int64_t timeout_ms) = 0;

  // Blocks, telling the name of each container of `home` that ended, was paused, resumed or
  // removed, until `stop` is set (noticed within a second) or the stream breaks. Hints only: some
  // may be lost. A start is no news: Rowlock made it.
  virtual Result<> watch(const std::string& home, const std::atomic<bool>& stop,
                         const std::function<void(const std::string& container)>& hint) = 0;
};

}  // namespace rowlock
