// A whole world of fakes, for every test that needs one: each port is answered by its fake. A test
// replaces a port by overriding the one function that gives it.
#pragma once

#include "controller/ports/clock.h"
#include "controller/ports/world.h"
#include "tests/fakes/fake_dumps.h"
#include "tests/fakes/fake_home_copies.h"
#include "tests/fakes/fake_key_sets.h"
#include "tests/fakes/fake_object_store.h"
#include "tests/fakes/fake_pings.h"
#include "tests/fakes/fake_postgres.h"
#include "tests/fakes/fake_prober.h"
#include "tests/fakes/fake_proxy.h"
#include "tests/fakes/fake_runtime.h"
#include "tests/fakes/fake_secret_folders.h"

#include <atomic>
#include <memory>
#include <string>

namespace rowlock {

// Stands still until a test moves it, or sets its wall clock.
class HandClock final : public Clock {
 public:
  std::int64_t now_ms() const override { return ms; }
  std::int64_t wall_ms() const override { return ms + wall_ahead_ms; }
  std::int64_t ms = 1'000'000;
  std::int64_t wall_ahead_ms = 0;
};

class FakeWorld : public World {
 public:
  ContainerRuntime& runtime(const std::string&, const std::string&) override { return engine_; }
  Prober& prober() override { return prober_; }
  Proxy& proxy(const std::string&) override { return proxy_; }
  SecretFolders& secret_folders() override { return secret_folders_; }
  KeySets& key_sets() override { return key_sets_; }
  Postgres& postgres() override { return postgres_; }
  Clock& clock() override { return time; }
  std::shared_ptr<ObjectStore> object_store(const StoreAddress& address) override {
    return stores.open(address, is_ending);
  }
  DatabaseDumps& dumps() override { return fake_dumps; }
  HomeCopies& home_copies() override { return fake_home_copies; }
  Pings& pings() override { return fake_pings; }
  const std::atomic<bool>& ending() const override { return is_ending; }

  // -- The fakes behind them, to be looked at and to be broken.
  FakeRuntime& fake_engine() { return engine_; }  // Of every node.
  FakeProxy& fake_proxy() { return proxy_; }
  FakeSecretFolders& fake_secret_folders() { return secret_folders_; }
  FakeKeySets& fake_key_sets() { return key_sets_; }
  FakePostgres& fake_postgres() { return postgres_; }
  FakeObjectStores stores{[this] { return clock().now_ms(); }};
  FakeDumps fake_dumps;
  FakeHomeCopies fake_home_copies;
  FakePings fake_pings;
  HandClock time;
  std::atomic<bool> is_ending = false;

 private:
  FakeRuntime engine_;
  // Only a test that turns a loop can be told of an answer later: it has a prober of its own.
  FakeProber prober_{[](std::int64_t, const std::function<void()>&) { UNREACHABLE(); }};
  FakeProxy proxy_;
  FakeSecretFolders secret_folders_;
  FakeKeySets key_sets_;
  FakePostgres postgres_;
};

}  // namespace rowlock
