// The part of a fake world that backups go through: stores by their URL, servers, the home, the
// watcher. Worlds for tests derive from it.
#pragma once

#include "controller/ports/database_dumps.h"
#include "controller/ports/home_copies.h"
#include "controller/ports/object_store.h"
#include "controller/ports/pings.h"
#include "controller/ports/world.h"
#include "tests/fakes/fake_dumps.h"
#include "tests/fakes/fake_home_copies.h"
#include "tests/fakes/fake_object_store.h"
#include "tests/fakes/fake_pings.h"

#include <atomic>
#include <memory>

namespace rowlock {

class FakeBackupWorld : public World {
 public:
  std::shared_ptr<ObjectStore> object_store(const StoreAddress& address) override {
    return stores.open(address, is_ending);
  }
  DatabaseDumps& dumps() override { return fake_dumps; }
  HomeCopies& home_copies() override { return fake_home_copies; }
  Pings& pings() override { return fake_pings; }
  const std::atomic<bool>& ending() const override { return is_ending; }

  FakeObjectStores stores{[this] { return clock().now_ms(); }};
  FakeDumps fake_dumps;
  FakeHomeCopies fake_home_copies;
  FakePings fake_pings;
  std::atomic<bool> is_ending = false;
};

}  // namespace rowlock
