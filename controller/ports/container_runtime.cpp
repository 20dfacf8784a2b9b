// The words of a container's state and ports, as rows and answers have them.
#include "controller/ports/container_runtime.h"

#include "controller/base/json.h"

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
