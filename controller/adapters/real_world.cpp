// Which adapter stands behind each port. Engines and proxies are made when they are first asked for
// and then kept; a store is made for each step that needs one.
#include "controller/adapters/real_world.h"

#include "controller/adapters/object_stores.h"

namespace rowlock {

// `docker` is the only driver that the rules let through.
ContainerRuntime& RealWorld::runtime(const std::string&, const std::string& endpoint) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<ContainerRuntime>& runtime = runtimes_[endpoint];
  if (!runtime) {
    runtime =
        std::make_unique<DockerRuntime>(endpoint.empty() ? default_docker_endpoint() : endpoint);
  }
  return *runtime;
}

std::shared_ptr<ObjectStore> RealWorld::object_store(const StoreAddress& address) {
  return object_store_of(address, ending_);
}

Proxy& RealWorld::proxy(const std::string& socket) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Proxy>& proxy = proxies_[socket];
  if (!proxy) {
    proxy = std::make_unique<HaproxyProxy>(home_ + "/proxy", socket);
  }
  return *proxy;
}

}  // namespace rowlock
