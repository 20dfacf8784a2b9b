// The world as it is: engines behind their endpoints, the proxy behind its socket, probes on the
// loop, the clock on the wall.
#pragma once

#include "controller/adapters/docker/docker.h"
#include "controller/adapters/files/secret_folders.h"
#include "controller/adapters/haproxy/haproxy.h"
#include "controller/adapters/http/curl_prober.h"
#include "controller/adapters/http/http_pings.h"
#include "controller/adapters/http/key_sets.h"
#include "controller/adapters/postgres/postgres.h"
#include "controller/adapters/postgres/postgres_dump.h"
#include "controller/adapters/system_clock.h"
#include "controller/loop/loop.h"
#include "controller/ports/clock.h"
#include "controller/ports/container_runtime.h"
#include "controller/ports/database_dumps.h"
#include "controller/ports/home_copies.h"
#include "controller/ports/key_sets.h"
#include "controller/ports/object_store.h"
#include "controller/ports/pings.h"
#include "controller/ports/postgres.h"
#include "controller/ports/prober.h"
#include "controller/ports/proxy.h"
#include "controller/ports/secret_folders.h"
#include "controller/ports/world.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace rowlock {

class RealWorld final : public World {
 public:
  // `home` is the home's folder; at most so many probes are under way at once. Requires: the loop
  // outlives this.
  RealWorld(Loop& loop, std::string home, std::unique_ptr<HomeCopies> home_copies,
            std::size_t probes_max = CurlProber::kProbesMax)
      : home_(std::move(home)),
        prober_(loop, probes_max),
        secret_folders_(home_),
        home_copies_(std::move(home_copies)) {}

  ContainerRuntime& runtime(const std::string& driver, const std::string& endpoint) override;
  Prober& prober() override { return prober_; }
  Proxy& proxy(const std::string& socket) override;
  SecretFolders& secret_folders() override { return secret_folders_; }
  KeySets& key_sets() override { return key_sets_; }
  Postgres& postgres() override { return postgres_; }
  Clock& clock() override { return clock_; }
  std::shared_ptr<ObjectStore> object_store(const StoreAddress& address) override;
  DatabaseDumps& dumps() override { return dumps_; }
  HomeCopies& home_copies() override { return *home_copies_; }
  Pings& pings() override { return pings_; }
  const std::atomic<bool>& ending() const override { return ending_; }

  // What takes long gives up soon after.
  void end() { ending_ = true; }

 private:
  std::string home_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<ContainerRuntime>>
      runtimes_;                                           // By endpoint; never removed.
  std::map<std::string, std::unique_ptr<Proxy>> proxies_;  // By socket; never removed.
  CurlProber prober_;
  MemoryFolders secret_folders_;
  KeySetReader key_sets_;
  LibpqPostgres postgres_;
  PostgresDumps dumps_;
  HttpPings pings_;
  std::unique_ptr<HomeCopies> home_copies_;
  std::atomic<bool> ending_ = false;
  SystemClock clock_;
};

}  // namespace rowlock
