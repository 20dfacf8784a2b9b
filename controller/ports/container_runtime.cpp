// The words of a container's state and ports, as rows and answers have them.
#include "controller/ports/container_runtime.h"

#include "controller/base/json.h"

#include <fmt/format.h>

namespace rowlock {

std::string_view name_of(ContainerState state) {
  switch (state) {
    case ContainerState::created: return "created";
    case ContainerState::running: return "running";
    case ContainerState::paused: return "paused";
    case ContainerState::exited: return "exited";
  }
  UNREACHABLE();
}

// FNV-1a over each part and its length: it tells apart what differs by accident, and nobody gains
// by two that do not.
std::string fingerprint_of(const ContainerSpec& spec) {
  std::uint64_t hash = 14695981039346656037ULL;
  const auto add_bytes = [&hash](std::string_view bytes) {
    for (const char byte : bytes) {
      hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211ULL;
    }
  };
  const auto add = [&](std::string_view part) {
    add_bytes(fmt::format("{}:", part.size()));
    add_bytes(part);
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
  return fmt::format("{:016x}", hash);
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
