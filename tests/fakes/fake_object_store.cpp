// A map for each store, and a number for each upload.
#include "tests/fakes/fake_object_store.h"

#include "controller/adapters/object_key.h"

#include <algorithm>
#include <utility>

namespace rowlock {

namespace {

Error transient(const std::string& what, Cause cause = Cause::other) {
  return {Fault::transient, cause, what, ""};
}

Error taken(const std::string& key) {
  return {Fault::rejected, Cause::other,
          "write " + key + ": there is an object of that key already",
          "remove it first, or use another key"};
}

Error given_up(const std::string& key) {
  return transient("write " + key + ": given up, since Rowlock is ending");
}

}  // namespace

// ---- How they behave, and who checks -----------------------------------------------------------

void FakeObjectStores::set_reachable(bool is_reachable) {
  const std::lock_guard lock(mutex_);
  is_reachable_ = is_reachable;
}

void FakeObjectStores::set_away(const std::string& url, bool is_away) {
  const std::lock_guard lock(mutex_);
  stores_[url].is_away = is_away;
}

void FakeObjectStores::set_facts(const std::string& url, const StoreFacts& facts) {
  const std::lock_guard lock(mutex_);
  stores_[url].facts = facts;
}

void FakeObjectStores::set_room(std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  room_bytes_ = bytes;
}

void FakeObjectStores::set_faults(
    std::function<FaultPlan(const std::string& call, const std::string& key)> faults) {
  const std::lock_guard lock(mutex_);
  faults_ = std::move(faults);
}

void FakeObjectStores::put(const std::string& url, const std::string& key,
                           const std::string& bytes) {
  const std::lock_guard lock(mutex_);
  stores_[url].objects[key] = {bytes, now_ms_()};
}

void FakeObjectStores::remove(const std::string& url, const std::string& key) {
  const std::lock_guard lock(mutex_);
  stores_[url].objects.erase(key);
}

void FakeObjectStores::flip_bit(const std::string& url, const std::string& key, std::size_t bit) {
  const std::lock_guard lock(mutex_);
  std::string& bytes = stores_[url].objects.at(key).bytes;
  bytes.at(bit / 8) = static_cast<char>(bytes.at(bit / 8) ^ (1 << bit % 8));
}

void FakeObjectStores::forget_running() {
  const std::lock_guard lock(mutex_);
  for (auto& [url, store] : stores_) {
    for (auto& [number, upload] : store.uploads) upload.is_running = false;
  }
}

std::optional<FakeObjectStores::Object> FakeObjectStores::object(const std::string& url,
                                                                 const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto store = stores_.find(url);
  if (store == stores_.end()) return std::nullopt;
  const auto found = store->second.objects.find(key);
  if (found == store->second.objects.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> FakeObjectStores::keys(const std::string& url) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> keys;
  const auto store = stores_.find(url);
  if (store == stores_.end()) return keys;
  for (const auto& [key, object] : store->second.objects) keys.push_back(key);
  return keys;
}

std::vector<std::string> FakeObjectStores::pending_uploads(const std::string& url) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> keys;
  const auto store = stores_.find(url);
  if (store == stores_.end()) return keys;
  for (const auto& [number, upload] : store->second.uploads) keys.push_back(upload.key);
  return keys;
}

std::int64_t FakeObjectStores::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

std::int64_t FakeObjectStores::bytes_stored() const {
  std::int64_t bytes = 0;
  for (const auto& [url, store] : stores_) {
    for (const auto& [key, object] : store.objects) {
      bytes += static_cast<std::int64_t>(object.bytes.size());
    }
  }
  return bytes;
}

template <typename Act>
auto FakeObjectStores::attempt(const std::string& call, const std::string& url,
                               const std::string& key, Act act)
    -> decltype(act(std::declval<Store&>())) {
  std::function<FaultPlan(const std::string&, const std::string&)> faults;
  {
    const std::lock_guard lock(mutex_);
    faults = faults_;
  }
  const FaultPlan plan = faults ? faults(call, key) : FaultPlan::none;
  const std::string what = call + " " + key + " in " + url + ": ";
  if (plan == FaultPlan::fail_before) return transient(what + "HTTP 503 SlowDown");
  // An upload that nobody hears of is given up by its own destructor, which locks again.
  auto result = [&]() -> decltype(act(std::declval<Store&>())) {
    const std::lock_guard lock(mutex_);
    Store& store = stores_[url];
    if (plan == FaultPlan::unreachable || !is_reachable_ || store.is_away) {
      return transient(what + "it cannot be reached", Cause::unreachable);
    }
    return act(store);
  }();
  if (result.ok() && plan == FaultPlan::lose_answer) {
    return transient(what + "it did not finish its answer in time", Cause::deadline);
  }
  return result;
}

// ---- Uploads -----------------------------------------------------------------------------------

class FakeUpload final : public Upload {
 public:
  FakeUpload(FakeObjectStores& stores, std::string url, std::string key, int number,
             const std::atomic<bool>& ending)
      : stores_(stores),
        url_(std::move(url)),
        key_(std::move(key)),
        number_(number),
        ending_(ending) {}

  ~FakeUpload() override {
    if (is_finished_) return;
    const auto taken_back =
        stores_.attempt("abort", url_, key_, [&](FakeObjectStores::Store& store) -> Result<> {
          store.uploads.erase(number_);
          // What became visible, while nobody could tell, goes too.
          if (may_be_visible_) store.objects.erase(key_);
          return Done{};
        });
    const std::lock_guard lock(stores_.mutex_);
    const auto left = stores_.stores_[url_].uploads.find(number_);
    if (!taken_back.ok() && left != stores_.stores_[url_].uploads.end()) {
      left->second.is_running = false;
    }
  }

  Result<> write(std::string_view bytes) override {
    if (ending_) return given_up(key_);
    return stores_.attempt("write", url_, key_, [&](FakeObjectStores::Store&) -> Result<> {
      const std::int64_t all =
          stores_.bytes_stored() + static_cast<std::int64_t>(bytes_.size() + bytes.size());
      if (stores_.room_bytes_ >= 0 && all > stores_.room_bytes_) {
        return transient("write " + key_ + ": No space left on device");
      }
      bytes_ += bytes;
      return Done{};
    });
  }

  Result<> finish() override {
    if (ending_) return given_up(key_);
    const auto finished =
        stores_.attempt("finish", url_, key_, [&](FakeObjectStores::Store& store) -> Result<> {
          if (store.objects.contains(key_)) return taken(key_);
          may_be_visible_ = true;
          store.uploads.erase(number_);
          store.objects[key_] = {bytes_, stores_.now_ms_()};
          ++stores_.changes_;
          return Done{};
        });
    is_finished_ = finished.ok();
    return finished;
  }

 private:
  FakeObjectStores& stores_;
  const std::string url_;
  const std::string key_;
  const int number_;
  const std::atomic<bool>& ending_;
  std::string bytes_;
  bool is_finished_ = false;
  bool may_be_visible_ = false;
};

// ---- The port ----------------------------------------------------------------------------------

class FakeObjectStore final : public ObjectStore {
 public:
  using Store = FakeObjectStores::Store;

  FakeObjectStore(FakeObjectStores& stores, std::string url, const std::atomic<bool>& ending)
      : stores_(stores), url_(std::move(url)), ending_(ending) {}

  Result<StoreFacts> probe() override {
    if (Result<> known = check_url(); !known.ok()) return known.error();
    return stores_.attempt("probe", url_, "",
                           [](Store& store) -> Result<StoreFacts> { return store.facts; });
  }

  Result<std::unique_ptr<Upload>> upload(const std::string& key) override {
    if (Result<> checked = check(key); !checked.ok()) return checked.error();
    return stores_.attempt("upload", url_, key,
                           [&](Store& store) -> Result<std::unique_ptr<Upload>> {
                             if (store.objects.contains(key)) return taken(key);
                             const int number = ++stores_.upload_number_;
                             store.uploads[number] = {key, stores_.now_ms_(), true};
                             return std::unique_ptr<Upload>(
                                 std::make_unique<FakeUpload>(stores_, url_, key, number, ending_));
                           });
  }

  Result<std::optional<StoredObject>> look(const std::string& key) override {
    if (Result<> checked = check(key); !checked.ok()) return checked.error();
    return stores_.attempt("look", url_, key,
                           [&](Store& store) -> Result<std::optional<StoredObject>> {
                             const auto found = store.objects.find(key);
                             if (found == store.objects.end()) return std::optional<StoredObject>();
                             return std::optional<StoredObject>(stored(*found));
                           });
  }

  Result<std::string> read(const std::string& key, std::int64_t offset,
                           std::int64_t length) override {
    if (Result<> checked = check(key); !checked.ok()) return checked.error();
    return stores_.attempt("read", url_, key, [&](Store& store) -> Result<std::string> {
      const auto found = store.objects.find(key);
      if (found == store.objects.end()) {
        return transient("read " + key + ": there is no such object", Cause::not_found);
      }
      const std::string& bytes = found->second.bytes;
      const std::size_t start = std::min(bytes.size(), static_cast<std::size_t>(offset));
      return bytes.substr(start, static_cast<std::size_t>(length));
    });
  }

  Result<std::vector<StoredObject>> list(const std::string& prefix) override {
    if (Result<> checked = check_beginning(prefix); !checked.ok()) return checked.error();
    return stores_.attempt("list", url_, prefix,
                           [&](Store& store) -> Result<std::vector<StoredObject>> {
                             std::vector<StoredObject> listed;
                             for (const auto& each : store.objects) {
                               if (each.first.starts_with(prefix)) listed.push_back(stored(each));
                             }
                             return listed;
                           });
  }

  Result<> remove(const std::string& key) override {
    if (Result<> checked = check(key); !checked.ok()) return checked.error();
    return stores_.attempt("remove", url_, key, [&](Store& store) -> Result<> {
      if (store.objects.erase(key) > 0) ++stores_.changes_;
      return Done{};
    });
  }

  Result<int> abort_uploads(const std::string& prefix, std::int64_t before_ms) override {
    if (Result<> checked = check_beginning(prefix); !checked.ok()) return checked.error();
    return stores_.attempt("abort_uploads", url_, prefix, [&](Store& store) -> Result<int> {
      const std::size_t count = std::erase_if(store.uploads, [&](const auto& each) {
        const auto& upload = each.second;
        return upload.key.starts_with(prefix) && upload.begun_at_ms < before_ms &&
               !upload.is_running;
      });
      stores_.changes_ += static_cast<std::int64_t>(count);
      return static_cast<int>(count);
    });
  }

 private:
  static StoredObject stored(const std::pair<const std::string, FakeObjectStores::Object>& each) {
    return {each.first, static_cast<std::int64_t>(each.second.bytes.size()),
            each.second.stored_at_ms};
  }

  Result<> check_url() const {
    if (url_.starts_with("file:///") || url_.starts_with("s3://")) return Done{};
    return Error{Fault::rejected, Cause::other,
                 "'" + url_ + "' is the URL of no object store that Rowlock knows",
                 "write object_store.url as file:///FOLDER or s3://BUCKET"};
  }
  Result<> check(const std::string& key) const {
    Result<> known = check_url();
    return known.ok() ? check_key(key) : known;
  }
  Result<> check_beginning(const std::string& prefix) const {
    Result<> known = check_url();
    return known.ok() ? check_key_prefix(prefix) : known;
  }

  FakeObjectStores& stores_;
  const std::string url_;
  const std::atomic<bool>& ending_;
};

std::shared_ptr<ObjectStore> FakeObjectStores::open(const StoreAddress& address,
                                                    const std::atomic<bool>& ending) {
  return std::make_shared<FakeObjectStore>(*this, address.url, ending);
}

}  // namespace rowlock
