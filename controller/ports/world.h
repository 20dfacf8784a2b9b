// All ports together: everything outside this process. Reconcilers see the world through this
// alone; the adapters behind it are in controller/adapters/, the fakes in tests/fakes/, and one
// conformance suite a port runs on both.
//
// Protocol. Unless a port says otherwise, every call is plain, blocking and bounded by a deadline
// of its own, and may be made from any worker thread, several at once. Every change may be
// repeated: "already so" is success. A call can fail, hang until its deadline, or succeed and lose
// its answer: then the caller looks again before it decides anything. Each port is one header,
// which says in which order its calls are made and who owns what.
#pragma once

#include <atomic>
#include <memory>
#include <string>

namespace rowlock {

class Clock;
class ContainerRuntime;
class DatabaseDumps;
class HomeCopies;
class KeySets;
class ObjectStore;
class Pings;
class Postgres;
class Prober;
class Proxy;
class SecretFolders;
struct StoreAddress;

class World {
 public:
  virtual ~World() = default;

  // The engine of a node, by the node's driver and endpoint; kept for the life of the world.
  // Thread-safe.
  virtual ContainerRuntime& runtime(const std::string& driver, const std::string& endpoint) = 0;
  virtual Prober& prober() = 0;

  // The proxy of this home: its own, or with a socket the one that somebody else manages. Kept for
  // the life of the world. Thread-safe.
  virtual Proxy& proxy(const std::string& socket) = 0;
  virtual SecretFolders& secret_folders() = 0;  // Of this home. Thread-safe.
  virtual KeySets& key_sets() = 0;              // Thread-safe.
  virtual Postgres& postgres() = 0;             // Thread-safe.
  virtual Clock& clock() = 0;

  // Made anew for every step; of an address that is none, every call is rejected.
  virtual std::shared_ptr<ObjectStore> object_store(const StoreAddress& address) = 0;
  virtual DatabaseDumps& dumps() = 0;     // Thread-safe.
  virtual HomeCopies& home_copies() = 0;  // Of this home. Thread-safe.
  virtual Pings& pings() = 0;             // Thread-safe.

  // Set once Rowlock is to stop: what takes long gives up soon.
  virtual const std::atomic<bool>& ending() const = 0;
};

}  // namespace rowlock
