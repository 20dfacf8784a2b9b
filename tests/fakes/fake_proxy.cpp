// What a test says to the fake and asks of it; the calls of the port itself are in
// fake_proxy_port.cpp. Listeners are called outside the lock, since they may call back.
#include "tests/fakes/fake_proxy.h"

#include <set>
#include <utility>

namespace rowlock {

// ---- What a test says --------------------------------------------------------------------------

void FakeProxy::refuse_next_save(const std::string& words) {
  const std::lock_guard<std::mutex> lock(mutex_);
  next_refusal_ = words;
}

void FakeProxy::refuse_saves(std::function<std::string(const ProxyConfig&)> words) {
  const std::lock_guard<std::mutex> lock(mutex_);
  refusals_ = std::move(words);
}

void FakeProxy::linger_after_reload(bool lingers) {
  const std::lock_guard<std::mutex> lock(mutex_);
  lingers_ = lingers;
  drop_idle_workers();
}

void FakeProxy::set_managed_by_others(bool are_others) {
  const std::lock_guard<std::mutex> lock(mutex_);
  managed_by_others_ = are_others;
}

void FakeProxy::put_certificate(const std::string& file, std::int64_t version, bool good,
                                const std::string& names, std::int64_t not_after_ms) {
  const std::lock_guard<std::mutex> lock(mutex_);
  certificates_[file] = Certificate{version, good, names, not_after_ms};
}

void FakeProxy::remove_certificate(const std::string& file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  certificates_.erase(file);
}

void FakeProxy::set_faults(
    std::function<FaultPlan(const std::string& call, const std::string& name)> faults) {
  const std::lock_guard<std::mutex> lock(mutex_);
  faults_ = std::move(faults);
}

void FakeProxy::on_call(
    std::function<void(const std::string& call, const std::string& route, const ProxySlot& slot)>
        listener) {
  const std::lock_guard<std::mutex> lock(mutex_);
  call_listener_ = std::move(listener);
}

void FakeProxy::on_end(std::function<void()> listener) {
  const std::lock_guard<std::mutex> lock(mutex_);
  end_listener_ = std::move(listener);
}

// ---- What happens to it ------------------------------------------------------------------------

void FakeProxy::start_by_hand() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!running_) take_saved();
}

void FakeProxy::kill() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    end();
  }
  tell_ends();
}

bool FakeProxy::begin_session(const std::string& route, int slot) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Place* const found = place(route, slot);
  if (found == nullptr || !found->slot.ready) return false;
  ++found->sessions;
  return true;
}

bool FakeProxy::end_session(const std::string& route, int slot) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!running_) return false;
  const auto end_one = [&](Worker& worker) {
    const auto found = worker.find({route, slot});
    if (found == worker.end() || found->second.sessions == 0) return false;
    --found->second.sessions;
    return true;
  };
  for (Worker& worker : running_->old_workers) {
    if (!end_one(worker)) continue;
    drop_idle_workers();
    return true;
  }
  return end_one(running_->worker);
}

void FakeProxy::end_old_workers() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (running_) running_->old_workers.clear();
}

void FakeProxy::refuse_heads(std::int64_t count) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (running_) running_->unread += count;
}

// ---- What a test looks at ----------------------------------------------------------------------

bool FakeProxy::running() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return running_.has_value();
}

std::vector<SlotReport> FakeProxy::slots() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return reports();
}

ProxyConfig FakeProxy::saved() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return saved_.value_or(ProxyConfig{});
}

std::int64_t FakeProxy::generation() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return running_ ? running_->generation : -1;
}

std::int64_t FakeProxy::changes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return changes_;
}

bool FakeProxy::is_given_requests(const std::string& address, int port) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!running_) return false;
  const auto gives = [&](const Worker& worker) {
    for (const auto& [key, found] : worker) {
      const ProxySlot& slot = found.slot;
      if (slot.ready && slot.address == address && slot.port == port) return true;
    }
    return false;
  };
  for (const Worker& worker : running_->old_workers) {
    if (gives(worker)) return true;
  }
  return gives(running_->worker);
}

// ---- What runs ---------------------------------------------------------------------------------

// Outside the lock, since the listener may call back.
void FakeProxy::tell_ends() {
  int ends = 0;
  std::function<void()> listener;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::swap(ends, untold_ends_);
    listener = end_listener_;
  }
  for (; listener && ends > 0; --ends) listener();
}

FakeProxy::Place* FakeProxy::place(const std::string& route, int slot) {
  if (!running_) return nullptr;
  const auto found = running_->worker.find({route, slot});
  return found == running_->worker.end() ? nullptr : &found->second;
}

void FakeProxy::end() {
  if (!running_) return;
  running_.reset();
  ++untold_ends_;
  happened_.notify_all();
}

void FakeProxy::take_saved() {
  Running next;
  next.process = running_ ? running_->process : ++processes_;
  next.generation = saved_ ? saved_->generation : -1;
  const ProxyConfig config = saved_.value_or(ProxyConfig{});
  for (const ProxyRoute& route : config.routes) {
    next.modes[route.name] = route.mode;
    for (const ProxySlot& slot : route.slots) next.worker[{route.name, slot.number}] = {slot, 0};
  }
  for (const std::string& file : certificate_files(config)) next.loaded[file] = certificates_[file];
  if (running_) {
    next.old_workers = std::move(running_->old_workers);
    next.old_workers.push_back(std::move(running_->worker));
  }
  running_ = std::move(next);
  drop_idle_workers();
}

void FakeProxy::drop_idle_workers() {
  if (!running_ || lingers_) return;
  std::erase_if(running_->old_workers, [](const Worker& worker) {
    for (const auto& [key, found] : worker) {
      if (found.sessions > 0) return false;
    }
    return true;
  });
}

// Of a slot that only old workers have: how it was in the newest of them, but not ready.
SlotReport FakeProxy::report(const Key& key) const {
  SlotReport result;
  result.route = key.first;
  result.number = key.second;
  const auto take = [&](const Place& found) {
    result.address = found.slot.address;
    result.port = found.slot.port;
    result.weight = found.slot.weight;
    result.sessions += found.sessions;
  };
  for (const Worker& worker : running_->old_workers) {
    const auto found = worker.find(key);
    if (found == worker.end()) continue;
    take(found->second);
    result.lingers = result.lingers || found->second.slot.ready;
  }
  const auto found = running_->worker.find(key);
  if (found != running_->worker.end()) {
    take(found->second);
    result.ready = found->second.slot.ready;
  }
  return result;
}

std::vector<SlotReport> FakeProxy::reports() const {
  std::vector<SlotReport> result;
  if (!running_) return result;
  std::set<Key> keys;
  for (const auto& [key, found] : running_->worker) {
    if (found.slot.ready || !found.slot.address.empty()) keys.insert(key);
  }
  for (const Worker& worker : running_->old_workers) {
    for (const auto& [key, found] : worker) {
      if (found.slot.ready || found.sessions > 0) keys.insert(key);
    }
  }
  for (const auto& [key, found] : running_->worker) {
    if (found.sessions > 0) keys.insert(key);
  }
  for (const Key& key : keys) result.push_back(report(key));
  return result;
}

}  // namespace rowlock
