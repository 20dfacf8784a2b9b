// Object stores in memory, one for each URL. They answer as real ones do, which tests/conformance/
// proves, and a test can break them: make them unreachable, lose answers, flip a bit, leave uploads
// behind. All that is in them can be looked at.
#pragma once

#include "controller/ports/object_store.h"
#include "tests/fakes/fault_plan.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rowlock {

// Shared by the stores that it opens and their uploads, so it outlives them.
class FakeObjectStores {
 public:
  struct Object {
    std::string bytes;
    std::int64_t stored_at_ms = 0;
  };

  // `now_ms`: the time of all stores.
  explicit FakeObjectStores(std::function<std::int64_t()> now_ms) : now_ms_(std::move(now_ms)) {}

  // The store of that address; several of one URL are the same. Rejected calls where a real one
  // would not know the scheme.
  std::shared_ptr<ObjectStore> open(const StoreAddress& address, const std::atomic<bool>& ending);

  // -- How they behave.
  void set_reachable(bool is_reachable);  // All of them; so they begin.
  void set_away(const std::string& url, bool is_away);
  void set_facts(const std::string& url, const StoreFacts& facts);
  void set_room(std::int64_t bytes);  // All of them together; more is refused as a full disk does.

  // Asked at the start of every call: with the method's name ("upload", "write", "finish", "abort",
  // "look", "read", "list", "remove", "abort_uploads", "probe") and the key or the prefix. "abort"
  // is the end of an upload that was not finished: any fault leaves it there.
  void set_faults(std::function<FaultPlan(const std::string& call, const std::string& key)> faults);

  // -- What happens to them behind the controller's back.
  void put(const std::string& url, const std::string& key, const std::string& bytes);
  void remove(const std::string& url, const std::string& key);
  void flip_bit(const std::string& url, const std::string& key, std::size_t bit);
  // As if the process had died: uploads under way are nobody's any more.
  void forget_running();

  // -- For those who check.
  std::optional<Object> object(const std::string& url, const std::string& key) const;
  std::vector<std::string> keys(const std::string& url) const;             // Sorted.
  std::vector<std::string> pending_uploads(const std::string& url) const;  // Their keys.
  std::int64_t changes() const;  // How often a call through the port has changed something.

 private:
  friend class FakeObjectStore;
  friend class FakeUpload;

  struct Pending {
    std::string key;
    std::int64_t begun_at_ms = 0;
    bool is_running = true;
  };
  struct Store {
    std::map<std::string, Object> objects;
    std::map<int, Pending> uploads;  // By a number of their own.
    StoreFacts facts{false, true, 0};
    bool is_away = false;
  };

  // Runs `act` on the store, in front of which a fault may be planned.
  template <typename Act>
  auto attempt(const std::string& call, const std::string& url, const std::string& key, Act act)
      -> decltype(act(std::declval<Store&>()));

  std::int64_t bytes_stored() const;  // Requires mutex_ to be held.

  const std::function<std::int64_t()> now_ms_;
  mutable std::mutex mutex_;
  std::map<std::string, Store> stores_;  // By url.
  std::function<FaultPlan(const std::string&, const std::string&)> faults_;
  std::int64_t room_bytes_ = -1;  // -1: any.
  bool is_reachable_ = true;
  int upload_number_ = 0;
  std::int64_t changes_ = 0;
};

}  // namespace rowlock
