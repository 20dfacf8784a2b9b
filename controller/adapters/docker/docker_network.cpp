// An engine lets somebody choose addresses only on a network whose subnet was chosen as well, and
// knows best which subnets are free. So it is asked for a network first, and that one is made again
// with the subnet that it got.
// https://docs.docker.com/reference/api/engine/ (NetworkCreate, EndpointIPAMConfig)
#include "controller/adapters/docker/docker_network.h"

#include "controller/adapters/docker/docker.h"
#include "controller/adapters/docker/docker_json.h"
#include "controller/base/percent.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace rowlock {

namespace {

constexpr std::uint64_t kTakenMin = 3;  // The subnet's own address, its gateway's, and the last.

template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  Number number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return {};
  return number;
}

// 10.1.0.0 as a number.
std::optional<std::uint32_t> ipv4_in(std::string_view text) {
  std::uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    const std::size_t end = part < 3 ? text.find('.') : text.size();
    if (end == std::string_view::npos) return {};
    const auto byte = number_in<std::uint8_t>(text.substr(0, end));
    if (!byte) return {};
    address = address << 8 | *byte;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return address;
}

}  // namespace

std::string bridge_of(const std::string& home) { return "rowlock-" + home; }

std::string address_on(const std::string& subnet, const std::string& number) {
  const std::size_t slash = subnet.find('/');
  if (slash == std::string::npos) return "";
  const auto base = ipv4_in(std::string_view(subnet).substr(0, slash));
  const auto bits = number_in<unsigned>(std::string_view(subnet).substr(slash + 1));
  const auto instance = number_in<std::uint64_t>(number);
  if (!base || !bits || *bits < 8 || *bits > 24 || !instance) return "";
  const std::uint64_t size = std::uint64_t{1} << (32 - *bits);
  const std::uint64_t address = *base + 2 + *instance % (size - kTakenMin);
  return fmt::format("{}.{}.{}.{}", address >> 24 & 255, address >> 16 & 255, address >> 8 & 255,
                     address & 255);
}

std::string subnet_of(const Json& network) {
  for (const Json& pool : network["IPAM"]["Config"].items()) {
    const std::string subnet = pool["Subnet"].as_string();
    if (subnet.find(':') == std::string::npos) return subnet;
  }
  return "";
}

Json network_body(const std::string& name, const std::string& home, const std::string& subnet) {
  std::vector<std::pair<std::string, Json>> body = {
      {"Name", Json::string(name)},
      {"Driver", Json::string("bridge")},
      {"CheckDuplicate", Json::boolean(true)},
      {"Labels", Json::object({{kHomeLabel, Json::string(home)}})}};
  if (!subnet.empty()) {
    const Json pool = Json::object({{"Subnet", Json::string(subnet)}});
    body.emplace_back("IPAM", Json::object({{"Config", Json::array({pool})}}));
  }
  return Json::object(std::move(body));
}

Json endpoints_body(const std::string& network, const std::string& address) {
  const Json endpoint =
      address.empty()
          ? Json::object({})
          : Json::object({{"IPAMConfig", Json::object({{"IPv4Address", Json::string(address)}})}});
  return Json::object({{"EndpointsConfig", Json::object({{network, endpoint}})}});
}

Result<> DockerRuntime::make_network(std::string_view attempt, const std::string& name,
                                     const std::string& home, const std::string& subnet) {
  DockerRequest make;
  make.method = "POST";
  make.path = "/networks/create";
  make.body = network_body(name, home, subnet).text();
  make.deadline_ms = deadlines_.change_ms;
  TRY(engine_.call(attempt, std::move(make), {409}));
  return Done{};
}

Result<> DockerRuntime::remove_network(std::string_view attempt, const std::string& name) {
  DockerRequest remove;
  remove.method = "DELETE";
  remove.path = "/networks/" + percent_encoded(name);
  remove.deadline_ms = deadlines_.change_ms;
  TRY(engine_.call(attempt, std::move(remove), {404}));
  return Done{};
}

Result<std::optional<Json>> DockerRuntime::find_network(std::string_view attempt,
                                                        const std::string& name) {
  DockerRequest ask;
  ask.path = "/networks/" + percent_encoded(name);
  ask.deadline_ms = deadlines_.look_ms;
  const DockerAnswer answer = TRY(engine_.call(attempt, std::move(ask), {404}));
  if (answer.status == 404) return std::optional<Json>();
  return std::optional<Json>(TRY(answer_json(attempt, answer)));
}

// Workers ask for it at once; the first one makes it.
Result<std::string> DockerRuntime::home_subnet(std::string_view attempt, const std::string& home) {
  const std::string name = bridge_of(home);
  const std::lock_guard<std::mutex> lock(network_mutex_);
  auto network = TRY(find_network(attempt, name));
  if (!network) {
    const std::string probe = name + "-probe";
    TRY(remove_network(attempt, probe));  // Of one that was cut short.
    TRY(make_network(attempt, probe, home, ""));
    const auto found = TRY(find_network(attempt, probe));
    TRY(remove_network(attempt, probe));
    TRY(make_network(attempt, name, home, found ? subnet_of(*found) : ""));
    network = TRY(find_network(attempt, name));
  }
  if (!network) {
    return Error{Fault::transient, Cause::other,
                 fmt::format("{}: the home's network has just been removed", attempt), ""};
  }
  if ((*network)["Labels"][kHomeLabel].as_string() != home) {
    return Error{Fault::rejected, Cause::exists,
                 fmt::format("{}: a network {} exists that Rowlock did not make", attempt, name),
                 "remove that network from the node"};
  }
  return subnet_of(*network);
}

// Whether the home's bridge that a container was made for is there, with the address it was given;
// of one that lives elsewhere too. `docker network prune` takes a network that nothing runs on.
Result<bool> DockerRuntime::stands_on_its_network(std::string_view attempt, const Json& container) {
  const Json labels = container["Config"]["Labels"];
  const std::string name = bridge_of(labels[kHomeLabel].as_string());
  if (container["HostConfig"]["NetworkMode"].as_string() != name) return true;
  const auto network = TRY(find_network(attempt, name));
  if (!network) return false;
  const std::string chosen = chosen_address(container, name);
  return chosen.empty() ||
         chosen == address_on(subnet_of(*network), inspected_container(container).instance);
}

}  // namespace rowlock
