// Containers in Docker, or in anything that speaks its Engine API, such as Podman. What a step
// means is said in the port; this file says it to the engine, and tells the answers that mean
// "already so" from those that mean trouble.
#pragma once

#include "controller/adapters/docker/docker_engine.h"
#include "controller/adapters/docker/docker_image.h"
#include "controller/ports/container_runtime.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

// How long each kind of call may take before it counts as lost.
struct DockerDeadlines {
  std::int64_t look_ms = 10'000;
  std::int64_t change_ms = 60'000;
  std::int64_t resolve_ms = 30'000;  // The engine asks a registry, which may be far away.
  std::int64_t pull_ms = 30 * 60'000;
  std::int64_t pull_silence_ms = 120'000;  // Without a byte; whole seconds.
  std::int64_t stop_margin_ms =
      15'000;  // For the engine's own work, beyond the time the container is given.
};

class DockerRuntime final : public ContainerRuntime {
 public:
  // `endpoint` is `unix:///var/run/docker.sock` or `tcp://host:2375`. Nothing is asked of the
  // engine yet.
  explicit DockerRuntime(std::string endpoint, DockerDeadlines deadlines = {});

  Result<EngineFacts> facts() override;
  Result<std::vector<Container>> list() override;
  Result<std::optional<Container>> inspect(const std::string& name) override;
  Result<std::string> resolve(const std::string& image, ImageSource source,
                              const RegistryAccess& access) override;
  Result<> pull(const std::string& image, const RegistryAccess& access) override;
  Result<> remove_image(const std::string& image, const std::string& mirror) override;
  Result<std::optional<DiskUse>> disk() override;
  Result<std::vector<Mount>> create(const ContainerSpec& spec) override;
  Result<> start(const std::string& name) override;
  Result<> stop(const std::string& name, const std::string& signal,
                std::int64_t timeout_ms) override;
  Result<> signal(const std::string& name, const std::string& signal) override;
  Result<> resume(const std::string& name) override;
  Result<> remove(const std::string& name) override;
  Result<std::optional<Claim>> claim_on(const std::string& home) override;
  Result<Claim> claim(const Claim& claim) override;
  Result<std::string> log_tail(const std::string& name, int lines) override;
  // The command goes on inside when its time is over: the engine has no way to end it.
  Result<ExecResult> exec(const std::string& name, const std::vector<std::string>& command,
                          std::int64_t timeout_ms) override;
  Result<> watch(const std::string& home, const std::atomic<bool>& stop,
                 const std::function<void(const std::string& container)>& hint) override;

 private:
  Result<Json> look(std::string_view attempt, const std::string& path);
  Result<DockerAnswer> change(std::string_view attempt, const std::string& name,
                              DockerRequest request, std::initializer_list<int> expected = {});
  Result<std::optional<Container>> find(std::string_view attempt, const std::string& name);
  Result<std::string> resolve_on_node(std::string_view attempt, const ImageReference& image);
  Result<std::string> resolve_in_registry(std::string_view attempt, const ImageReference& image,
                                          const RegistryAccess& access);
  Result<> remove_name(std::string_view attempt, const ImageReference& image);
  Result<> pull_from(const ImageReference& image, const RegistryAccess& access);
  Result<Json> image_of(std::string_view attempt, ContainerSpec& spec);
  Result<Json> fitting_image(std::string_view attempt, ContainerSpec& spec);
  Result<std::vector<Claim>> claims(std::string_view attempt, const std::string& home);
  Result<std::optional<Json>> find_network(std::string_view attempt, const std::string& name);
  Result<> make_network(std::string_view attempt, const std::string& name, const std::string& home,
                        const std::string& subnet);
  Result<> remove_network(std::string_view attempt, const std::string& name);
  Result<std::string> home_subnet(std::string_view attempt, const std::string& home);
  Result<bool> stands_on_its_network(std::string_view attempt, const Json& container);
  Result<> check_made_from(std::string_view attempt, const ContainerSpec& spec);
  Result<> send_signal(std::string_view attempt, const std::string& name,
                       const std::string& signal);
  Result<> await_end(std::string_view attempt, const std::string& name, std::int64_t timeout_ms);
  Result<int> exec_exit_code(std::string_view attempt, const std::string& exec_id,
                             std::int64_t ends_at_ms);

  std::string endpoint_;
  DockerEngine engine_;
  DockerDeadlines deadlines_;
  std::mutex network_mutex_;  // Held by whoever makes the network of a home.
};

// DOCKER_HOST where it is set, as the docker command line has it; otherwise the usual socket.
std::string default_docker_endpoint();

}  // namespace rowlock
