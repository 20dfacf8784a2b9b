// The words of a container's state and ports, as rows and answers have them; what tells one
// container from another; and how the volumes are called that outlive it.
#include "controller/ports/container_runtime.h"

#include "controller/base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace rowlock {

namespace {

constexpr std::size_t kVolumePathMax = 80;

// FNV-1a: it tells apart what differs by accident, and nobody gains by two that do not.
class Hash {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) {
      hash_ = (hash_ ^ static_cast<unsigned char>(byte)) * 1099511628211ULL;
    }
  }
  std::string text() const { return fmt::format("{:016x}", hash_); }

 private:
  std::uint64_t hash_ = 14695981039346656037ULL;
};

// As the engine itself reads it: "/data/" is "/data".
std::string tidy(const std::string& path) {
  std::string tidied = std::filesystem::path("/" + path).lexically_normal().string();
  while (tidied.size() > 1 && tidied.back() == '/') tidied.pop_back();
  return tidied;
}

// "/var/lib/data" is "var-lib-data". What that does not tell apart from every other path, as "/a-b"
// from "/a/b", is given its hash as well.
std::string as_name(const std::string& path) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_';
  };
  std::string name = path.substr(1, kVolumePathMax);
  bool is_exact = path.size() <= kVolumePathMax;
  for (char& c : name) {
    if (is_plain(c)) continue;
    is_exact = is_exact && c == '/';
    c = '-';
  }
  if (is_exact) return name;
  Hash hash;
  hash.add(path);
  return name + "-" + hash.text().substr(0, 8);
}

}  // namespace

std::string_view name_of(ContainerState state) {
  switch (state) {
    case ContainerState::created: return "created";
    case ContainerState::running: return "running";
    case ContainerState::paused: return "paused";
    case ContainerState::exited: return "exited";
  }
  UNREACHABLE();
}

// Each part with its length.
std::string fingerprint_of(const ContainerSpec& spec) {
  Hash hash;
  const auto add = [&](std::string_view part) {
    hash.add(fmt::format("{}:", part.size()));
    hash.add(part);
  };
  const auto add_all = [&](const std::vector<std::string>& parts) {
    add(fmt::format("{}", parts.size()));
    for (const std::string& part : parts) add(part);
  };
  add(spec.image);
  add(spec.command ? "command" : "");
  add_all(spec.command.value_or(std::vector<std::string>()));
  for (const auto& [name, value] : spec.env) add_all({name, value});
  for (const PortBinding& port : spec.ports) {
    add(fmt::format("{}/{} {}:{} {}", port.port, port.protocol, port.host_ip, port.host_port,
                    port.publish));
  }
  for (const Mount& mount : spec.mounts) {
    add_all({mount.type, mount.source, mount.path, mount.read_only ? "ro" : "rw"});
  }
  add_all({spec.user, spec.network, spec.secrets_folder, spec.launcher});
  add(fmt::format("{} {} {} {} {}", spec.cpus, spec.memory_mb, spec.pids_max, spec.new_privileges,
                  spec.read_only_root));
  add_all(spec.capabilities);
  if (spec.cpu_shares > 0) add(fmt::format("{} shares", spec.cpu_shares));
  if (!spec.volume_prefix.empty()) add(spec.volume_prefix);
  return hash.text();
}

std::vector<Mount> kept_volumes(const ContainerSpec& spec,
                                const std::vector<std::string>& declared) {
  std::vector<Mount> kept;
  if (spec.volume_prefix.empty()) return kept;
  const auto is_taken = [&](const std::string& path) {
    const auto is_there = [&](const Mount& mount) { return tidy(mount.path) == path; };
    return (path == kSecretsPath && !spec.secrets_folder.empty()) ||
           (path == kLauncherPath && !spec.launcher.empty()) ||
           std::any_of(spec.mounts.begin(), spec.mounts.end(), is_there) ||
           std::any_of(kept.begin(), kept.end(), is_there);
  };
  for (const std::string& written : declared) {
    const std::string path = tidy(written);
    if (path == "/" || is_taken(path)) continue;
    kept.push_back({"volume", spec.volume_prefix + "-" + as_name(path), path, false});
  }
  return kept;
}

std::string text_of(const std::vector<Mount>& kept) {
  std::vector<Json> volumes;
  for (const Mount& mount : kept) {
    volumes.push_back(
        Json::object({{"path", Json::string(mount.path)}, {"source", Json::string(mount.source)}}));
  }
  return Json::array(std::move(volumes)).text();
}

std::string text_of(const std::vector<PortBinding>& published) {
  std::vector<Json> ports;
  for (const PortBinding& binding : published) {
    ports.push_back(Json::object({{"port", Json::integer(binding.port)},
                                  {"protocol", Json::string(binding.protocol)},
                                  {"host_ip", Json::string(binding.host_ip)},
                                  {"host_port", Json::integer(binding.host_port)}}));
  }
  return Json::array(std::move(ports)).text();
}

}  // namespace rowlock
