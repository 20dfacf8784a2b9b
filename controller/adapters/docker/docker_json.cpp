// Every field of the engine's JSON that Rowlock writes or reads stands here: one function for each
// part of a container, so that a new column of a job's row is a few lines in one place.
#include "controller/adapters/docker/docker_json.h"

#include "controller/adapters/docker/docker_network.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <utility>

namespace rowlock {

namespace {

constexpr char kJobLabel[] = "rowlock.job";
constexpr char kInstanceLabel[] = "rowlock.instance";
constexpr char kNonceLabel[] = "rowlock.nonce";
constexpr char kMadeFromLabel[] = "rowlock.made_from";

// A container that writes without end must not fill the node's disk.
constexpr char kLogFileSize[] = "10m";
constexpr char kLogFiles[] = "3";

constexpr std::int64_t kBytesPerMegabyte = 1024 * 1024;

using Members = std::vector<std::pair<std::string, Json>>;

Json strings(const std::vector<std::string>& values) {
  std::vector<Json> items;
  for (const std::string& value : values) items.push_back(Json::string(value));
  return Json::array(std::move(items));
}

std::string port_key(const PortBinding& port) {
  return std::to_string(port.port) + "/" + port.protocol;
}

bool shares_no_network(const std::string& network) {
  return network == "host" || network == "none";
}

Json exposed_ports(const ContainerSpec& spec) {
  Members ports;
  for (const PortBinding& port : spec.ports) ports.emplace_back(port_key(port), Json::object({}));
  return Json::object(std::move(ports));
}

// A port may be published at several places: each is an item under its key.
Json port_bindings(const ContainerSpec& spec) {
  std::map<std::string, std::vector<Json>> places;
  for (const PortBinding& port : spec.ports) {
    if (!port.publish) continue;
    const std::string host_port = port.host_port == 0 ? "" : std::to_string(port.host_port);
    places[port_key(port)].push_back(Json::object(
        {{"HostIp", Json::string(port.host_ip)}, {"HostPort", Json::string(host_port)}}));
  }
  Members bindings;
  for (auto& [key, items] : places) bindings.emplace_back(key, Json::array(std::move(items)));
  return Json::object(std::move(bindings));
}

// Submounts are not looked for, and no mount that somebody makes later comes through.
Json read_only_bind(const std::string& source, const char* target) {
  return Json::object({{"Type", Json::string("bind")},
                       {"Source", Json::string(source)},
                       {"Target", Json::string(target)},
                       {"ReadOnly", Json::boolean(true)},
                       {"BindOptions", Json::object({{"Propagation", Json::string("rprivate")},
                                                     {"NonRecursive", Json::boolean(true)}})}});
}

// As `Mounts`, never as `Binds`: those create a folder of root's where the source is missing.
// A volume that is not there yet is made with these labels, and what the image has at its path.
Json mounts(const ContainerSpec& spec, const Json& image) {
  std::vector<Json> items;
  for (const Mount& kept : kept_volumes(spec, declared_volumes(image))) {
    items.push_back(Json::object(
        {{"Type", Json::string("volume")},
         {"Source", Json::string(kept.source)},
         {"Target", Json::string(kept.path)},
         {"VolumeOptions",
          Json::object({{"Labels", Json::object({{kHomeLabel, Json::string(spec.home)},
                                                 {kJobLabel, Json::string(spec.job)}})}})}}));
  }
  for (const Mount& mount : spec.mounts) {
    Members members = {{"Type", Json::string(mount.type)},
                       {"Target", Json::string(mount.path)},
                       {"ReadOnly", Json::boolean(mount.read_only)}};
    if (mount.type != "tmpfs") members.emplace_back("Source", Json::string(mount.source));
    items.push_back(Json::object(std::move(members)));
  }
  if (!spec.secrets_folder.empty()) {
    items.push_back(read_only_bind(spec.secrets_folder, kSecretsPath));
  }
  if (!spec.launcher.empty()) items.push_back(read_only_bind(spec.launcher, kLauncherPath));
  return Json::array(std::move(items));
}

// As the engine has it, an empty command stands for the image's own.
bool has_own_command(const ContainerSpec& spec) { return spec.command && !spec.command->empty(); }

// The launcher, and what it becomes. An entrypoint that is given makes the engine forget the
// image's command as well, so that is given too.
void add_launched_program(const ContainerSpec& spec, const Json& image, Members& body) {
  std::vector<Json> entrypoint = image["Entrypoint"].items();
  entrypoint.insert(entrypoint.begin(), Json::string(kLauncherPath));
  body.emplace_back("Entrypoint", Json::array(std::move(entrypoint)));
  body.emplace_back(
      "Cmd", has_own_command(spec) ? strings(*spec.command) : Json::array(image["Cmd"].items()));
}

Json environment_lines(const ContainerSpec& spec) {
  std::vector<Json> lines;
  for (const auto& [name, value] : spec.env) lines.push_back(Json::string(name + "=" + value));
  return Json::array(std::move(lines));
}

Json host_config(const ContainerSpec& spec, const Json& image) {
  Members host = {
      {"RestartPolicy", Json::object({{"Name", Json::string("no")}})},
      {"NetworkMode", Json::string(lives_on_bridge(spec) ? bridge_of(spec.home) : spec.network)},
      {"CapDrop", strings({"ALL"})},
      {"CapAdd", strings(spec.capabilities)},
      {"ReadonlyRootfs", Json::boolean(spec.read_only_root)},
      {"Init", Json::boolean(false)},
      {"Mounts", mounts(spec, image)},
      {"LogConfig",
       Json::object({{"Type", Json::string("json-file")},
                     {"Config", Json::object({{"max-size", Json::string(kLogFileSize)},
                                              {"max-file", Json::string(kLogFiles)}})}})},
  };
  if (!spec.new_privileges) host.emplace_back("SecurityOpt", strings({"no-new-privileges"}));
  if (spec.pids_max > 0) host.emplace_back("PidsLimit", Json::integer(spec.pids_max));
  if (spec.cpus > 0) host.emplace_back("NanoCpus", Json::integer(std::llround(spec.cpus * 1e9)));
  if (spec.cpu_shares > 0) host.emplace_back("CpuShares", Json::integer(spec.cpu_shares));
  if (spec.memory_mb > 0) {
    const std::int64_t bytes = spec.memory_mb * kBytesPerMegabyte;
    host.emplace_back("Memory", Json::integer(bytes));
    host.emplace_back("MemorySwap",
                      Json::integer(bytes));  // Otherwise as much again may go to swap.
  }
  if (!shares_no_network(spec.network)) host.emplace_back("PortBindings", port_bindings(spec));
  return Json::object(std::move(host));
}

ContainerState container_state(const std::string& state) {
  if (state == "created") return ContainerState::created;
  if (state == "running" || state == "restarting") return ContainerState::running;
  if (state == "paused") return ContainerState::paused;
  return ContainerState::exited;  // exited, dead, removing
}

void read_labels(const Json& labels, Container& container) {
  container.home = labels[kHomeLabel].as_string();
  container.job = labels[kJobLabel].as_string();
  container.instance = labels[kInstanceLabel].as_string();
  container.nonce = labels[kNonceLabel].as_string();
  container.made_from = labels[kMadeFromLabel].as_string();
}

// Requires: the container's state is known already.
std::string address(const Container& container, const std::string& network_mode,
                    const Json& networks) {
  if (container.state != ContainerState::running && container.state != ContainerState::paused)
    return "";
  if (network_mode == "host") return "127.0.0.1";
  for (const auto& [name, network] : networks.members()) {
    std::string ip = network["IPAddress"].as_string();
    if (!ip.empty()) return ip;
  }
  return "";
}

// The engine tells of a port published at every address twice, for IPv4 and IPv6, with the same
// host port.
void add_published(PortBinding port, std::vector<PortBinding>& published) {
  port.publish = true;
  const bool known = std::any_of(published.begin(), published.end(), [&](const PortBinding& other) {
    return other.port == port.port && other.protocol == port.protocol &&
           other.host_port == port.host_port;
  });
  if (!known && port.host_port != 0) published.push_back(std::move(port));
}

// "/web-1" is the container's name; "/other/web-1" is what another one that links to it calls it.
std::string own_name(const Json& names) {
  for (const Json& item : names.items()) {
    const std::string name = item.as_string();
    if (name.rfind('/') == 0) return name.substr(1);
  }
  return "";
}

}  // namespace

bool has_nothing_to_run(const ContainerSpec& spec, const Json& image) {
  return !has_own_command(spec) && image["Entrypoint"].items().empty() &&
         image["Cmd"].items().empty();
}

std::vector<std::string> declared_volumes(const Json& image) {
  std::vector<std::string> paths;
  for (const auto& [path, nothing] : image["Volumes"].members()) paths.push_back(path);
  return paths;
}

bool lives_on_bridge(const ContainerSpec& spec) {
  return spec.network.empty() || spec.network == "bridge";
}

Json container_body(const ContainerSpec& spec, const Json& image, const std::string& subnet) {
  Members body = {
      {"Image", Json::string(spec.image)},
      {"Env", environment_lines(spec)},
      {"Labels", Json::object({{kHomeLabel, Json::string(spec.home)},
                               {kJobLabel, Json::string(spec.job)},
                               {kInstanceLabel, Json::string(spec.instance)},
                               {kNonceLabel, Json::string(spec.nonce)},
                               {kMadeFromLabel, Json::string(fingerprint_of(spec))}})},
      {"ExposedPorts", exposed_ports(spec)},
      // For those who stop it by hand; the adapter itself signals and waits.
      {"StopTimeout", Json::integer((spec.stop_timeout_ms + 999) / 1000)},
      {"HostConfig", host_config(spec, image)},
  };
  if (!spec.launcher.empty()) {
    add_launched_program(spec, image, body);
  } else if (spec.command) {
    body.emplace_back("Cmd", strings(*spec.command));
  }
  if (lives_on_bridge(spec)) {
    body.emplace_back("NetworkingConfig",
                      endpoints_body(bridge_of(spec.home), address_on(subnet, spec.instance)));
  }
  if (!spec.user.empty()) body.emplace_back("User", Json::string(spec.user));
  if (!spec.stop_signal.empty()) body.emplace_back("StopSignal", Json::string(spec.stop_signal));
  return Json::object(std::move(body));
}

Container listed_container(const Json& item) {
  Container container;
  container.name = own_name(item["Names"]);
  container.id = item["Id"].as_string();
  container.image = item["Image"].as_string();
  container.state = container_state(item["State"].as_string());
  read_labels(item["Labels"], container);
  container.address = address(container, item["HostConfig"]["NetworkMode"].as_string(),
                              item["NetworkSettings"]["Networks"]);
  for (const Json& port : item["Ports"].items()) {
    add_published(PortBinding{static_cast<int>(port["PrivatePort"].as_integer()),
                              port["Type"].as_string(), port["IP"].as_string(),
                              static_cast<int>(port["PublicPort"].as_integer()), true},
                  container.published);
  }
  return container;
}

Container inspected_container(const Json& body) {
  const Json state = body["State"];
  const Json network = body["NetworkSettings"];
  Container container;
  container.name = own_name(Json::array({body["Name"]}));
  container.id = body["Id"].as_string();
  container.image = body["Config"]["Image"].as_string();
  container.state = container_state(state["Status"].as_string());
  read_labels(body["Config"]["Labels"], container);
  container.address =
      address(container, body["HostConfig"]["NetworkMode"].as_string(), network["Networks"]);
  for (const auto& [key, places] : network["Ports"].members()) {
    const std::size_t slash = std::min(key.find('/'), key.size() - 1);
    for (const Json& place : places.items()) {
      add_published(
          PortBinding{std::atoi(key.c_str()), key.substr(slash + 1), place["HostIp"].as_string(),
                      std::atoi(place["HostPort"].as_string().c_str()), true},
          container.published);
    }
  }
  if (container.state == ContainerState::exited) {
    container.exit_code = static_cast<int>(state["ExitCode"].as_integer());
  }
  container.out_of_memory = state["OOMKilled"].as_boolean();
  container.error = state["Error"].as_string();
  return container;
}

std::string chosen_address(const Json& body, const std::string& network) {
  return body["NetworkSettings"]["Networks"][network]["IPAMConfig"]["IPv4Address"].as_string();
}

std::vector<std::string> sources_of_ours(const Json& body) {
  std::vector<std::string> sources;
  for (const Json& mount : body["HostConfig"]["Mounts"].items()) {
    const std::string target = mount["Target"].as_string();
    if (target == kSecretsPath || target == kLauncherPath) {
      sources.push_back(mount["Source"].as_string());
    }
  }
  return sources;
}

std::string image_arch(const std::string& machine) {
  static constexpr std::pair<const char*, const char*> kNames[] = {
      {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv8l", "arm64"}, {"armv7l", "arm"},
      {"armv6l", "arm"},   {"i386", "386"},      {"i686", "386"},
  };
  for (const auto& [theirs, ours] : kNames) {
    if (machine == theirs) return ours;
  }
  return machine;
}

EngineFacts engine_facts(const Json& info) {
  EngineFacts facts;
  facts.version = info["ServerVersion"].as_string();
  facts.arch = image_arch(info["Architecture"].as_string());
  facts.cpus = info["NCPU"].as_number();
  facts.memory_mb = info["MemTotal"].as_integer() / kBytesPerMegabyte;
  return facts;
}

std::string event_filters(const std::string& home) {
  return Json::object({{"type", strings({"container"})},
                       {"label", strings({std::string(kHomeLabel) + "=" + home})},
                       {"event", strings({"die", "pause", "unpause", "destroy", "oom"})}})
      .text();
}

}  // namespace rowlock
