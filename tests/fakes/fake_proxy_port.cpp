// The port of the fake proxy: what every proxy is asked, done to a few maps.
#include "tests/fakes/fake_proxy.h"

#include <chrono>
#include <cstring>
#include <tuple>
#include <utility>

namespace rowlock {

namespace {

Error error(Fault fault, Cause cause, const std::string& attempt, const std::string& what,
            std::string hint = "") {
  return Error{fault, cause, attempt + ": " + what, std::move(hint)};
}

Error not_running(const std::string& what) {
  return error(Fault::transient, Cause::unreachable, what, "the proxy does not run");
}

Error not_there(const std::string& what) {
  return error(Fault::transient, Cause::not_found, what, "what runs has none of that name");
}

std::string text_of_slot(const std::string& route, int slot) {
  return "slot " + std::to_string(slot) + " of " + route;
}

// As HTTP spells a header's name.
bool is_token(const std::string& text) {
  for (const char c : text) {
    const bool is_plain =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!is_plain && (c == '\0' || std::strchr("!#$%&'*+-.^_`|~", c) == nullptr)) return false;
  }
  return !text.empty();
}

bool is_same(const ProxySlot& one, const ProxySlot& other) {
  const auto parts = [](const ProxySlot& slot) {
    return std::tie(slot.ready, slot.address, slot.port, slot.weight);
  };
  return parts(one) == parts(other);
}

}  // namespace

template <typename Act>
auto FakeProxy::attempt(const std::string& call, const std::string& name, Act act)
    -> decltype(act()) {
  std::function<FaultPlan(const std::string&, const std::string&)> faults;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    faults = faults_;
  }
  const FaultPlan plan = faults ? faults(call, name) : FaultPlan::none;
  const std::string what = name.empty() ? call : call + " " + name;
  if (plan == FaultPlan::unreachable) {
    return error(Fault::transient, Cause::unreachable, what, "the proxy cannot be reached");
  }
  if (plan == FaultPlan::fail_before) {
    return error(Fault::transient, Cause::other, what, "the proxy failed");
  }
  auto result = act();
  tell_ends();
  if (plan == FaultPlan::lose_answer) {
    return error(Fault::transient, Cause::deadline, what,
                 "the proxy did not finish its answer in time");
  }
  return result;
}

template <typename Act>
auto FakeProxy::change(const std::string& call, const std::string& route, const ProxySlot& slot,
                       Act act) -> decltype(act()) {
  return attempt(call, route, [&]() -> decltype(act()) {
    std::function<void(const std::string&, const std::string&, const ProxySlot&)> listener;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      listener = call_listener_;
    }
    if (listener) listener(call, route, slot);
    const std::lock_guard<std::mutex> lock(mutex_);
    return act();
  });
}

// ---- The port: the configuration ---------------------------------------------------------------

// A folder is what other files lie in.
std::vector<std::string> FakeProxy::certificate_files(const ProxyConfig& config) const {
  std::vector<std::string> result;
  for (const std::string& entry : config.certificates) {
    const std::string folder = entry.ends_with('/') ? entry : entry + "/";
    for (const auto& [file, certificate] : certificates_) {
      if (file == entry || file.starts_with(folder)) result.push_back(file);
    }
  }
  return result;
}

std::string FakeProxy::words_of_refusal(const ProxyConfig& config) {
  if (!next_refusal_.empty()) return std::exchange(next_refusal_, "");
  for (const ProxyRoute& route : config.routes) {
    for (const auto& [header, value] : route.headers) {
      if (!is_token(header)) return "invalid header name in route " + route.name;
    }
  }
  for (const std::string& entry : config.certificates) {
    ProxyConfig alone;
    alone.certificates = {entry};
    const std::vector<std::string> files = certificate_files(alone);
    if (files.empty()) return "unable to stat SSL certificate from file '" + entry + "'";
    for (const std::string& file : files) {
      if (!certificates_.at(file).good) return "unable to load certificate from file " + file;
    }
  }
  return refusals_ ? refusals_(config) : "";
}

Result<> FakeProxy::save(const ProxyConfig& config) {
  return change("save", "", {}, [&]() -> Result<> {
    const std::string words = words_of_refusal(config);
    if (!words.empty()) {
      return error(Fault::rejected, Cause::other, "save", words, "correct the route");
    }
    saved_ = config;
    saved_files_ = certificate_files(config);
    ++changes_;
    return Done{};
  });
}

// A file of a certificate may have gone bad since it was saved.
std::optional<Error> FakeProxy::reason_not_to_run(const std::string& what) const {
  if (!saved_) return error(Fault::transient, Cause::other, what, "nothing was saved yet");
  for (const std::string& file : saved_files_) {
    const auto found = certificates_.find(file);
    if (found != certificates_.end() && found->second.good) continue;
    return error(Fault::transient, Cause::other, what,
                 "unable to load certificate from file " + file);
  }
  return std::nullopt;
}

Result<> FakeProxy::start() {
  return change("start", "", {}, [&]() -> Result<> {
    if (managed_by_others_) {
      return error(Fault::rejected, Cause::other, "start", "somebody else manages this proxy",
                   "start it as it is started on this machine");
    }
    if (running_) return Done{};
    if (std::optional<Error> reason = reason_not_to_run("start")) return *reason;
    take_saved();
    ++changes_;
    return Done{};
  });
}

Result<> FakeProxy::reload() {
  return change("reload", "", {}, [&]() -> Result<> {
    if (!running_) return not_running("reload");
    if (std::optional<Error> reason = reason_not_to_run("reload")) return *reason;
    take_saved();
    ++changes_;
    return Done{};
  });
}

Result<> FakeProxy::stop() {
  return change("stop", "", {}, [&]() -> Result<> {
    if (managed_by_others_) {
      return error(Fault::rejected, Cause::other, "stop", "somebody else manages this proxy",
                   "stop it as it is stopped on this machine");
    }
    if (!running_) return Done{};
    end();
    ++changes_;
    return Done{};
  });
}

// ---- The port: what runs -----------------------------------------------------------------------

std::vector<CertificateReport> FakeProxy::certificate_reports() const {
  std::vector<CertificateReport> result;
  for (const auto& [file, loaded] : running_->loaded) {
    CertificateReport one;
    one.file = file;
    one.names = loaded.names;
    one.not_after_ms = loaded.not_after_ms;
    const auto found = certificates_.find(file);
    if (found == certificates_.end()) {
      one.error = "No such file or directory";
    } else {
      one.stale = found->second.version != loaded.version;
      if (!found->second.good) one.error = "no certificate in it";
    }
    result.push_back(one);
  }
  return result;
}

Result<ProxyReport> FakeProxy::observe() {
  return attempt("observe", "", [&]() -> Result<ProxyReport> {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!running_) return not_running("observe");
    ProxyReport result;
    result.version = "fake";
    result.process = running_->process;
    result.generation = running_->generation;
    result.slots = reports();
    for (const auto& [route, mode] : running_->modes) {
      if (!mode.empty()) result.modes.emplace_back(route, mode);
    }
    result.certificates = certificate_reports();
    result.unread = running_->unread;
    result.files_moved = saved_ && certificate_files(*saved_) != saved_files_;
    return result;
  });
}

Result<SlotReport> FakeProxy::look(const std::string& route, int slot) {
  return attempt("look", route, [&]() -> Result<SlotReport> {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::string what = "look at " + text_of_slot(route, slot);
    if (!running_) return not_running(what);
    if (place(route, slot) == nullptr) return not_there(what);
    return report({route, slot});
  });
}

Result<SlotReport> FakeProxy::set_slot(const std::string& route, const ProxySlot& slot) {
  return change("set_slot", route, slot, [&]() -> Result<SlotReport> {
    const std::string what = "set " + text_of_slot(route, slot.number);
    if (!running_) return not_running(what);
    Place* const found = place(route, slot.number);
    if (found == nullptr) return not_there(what);
    if (slot.ready && slot.address.empty()) {
      return error(Fault::broken, Cause::other, what, "nothing without an address can be ready");
    }
    if (!is_same(found->slot, slot)) {
      found->slot = slot;
      ++changes_;
    }
    return report({route, slot.number});
  });
}

Result<> FakeProxy::set_mode(const std::string& route, const std::string& mode) {
  return change("set_mode", route, {}, [&]() -> Result<> {
    const std::string what = "set the mode of " + route;
    if (!running_) return not_running(what);
    const auto found = running_->modes.find(route);
    if (found == running_->modes.end()) return not_there(what);
    if (std::exchange(found->second, mode) != mode) ++changes_;
    return Done{};
  });
}

Result<> FakeProxy::load_certificate(const std::string& file) {
  return change("load_certificate", file, {}, [&]() -> Result<> {
    const std::string what = "load certificate " + file;
    if (!running_) return not_running(what);
    const auto loaded = running_->loaded.find(file);
    if (loaded == running_->loaded.end()) return not_there(what);
    const auto found = certificates_.find(file);
    if (found == certificates_.end() || !found->second.good) {
      return error(Fault::rejected, Cause::other, what, "no certificate in it",
                   "put a certificate with its key there");
    }
    if (loaded->second.version == found->second.version) return Done{};
    loaded->second = found->second;
    ++changes_;
    return Done{};
  });
}

Result<> FakeProxy::watch(const std::atomic<bool>& stop, const std::function<void()>& ended) {
  constexpr auto kLookAtStop = std::chrono::milliseconds(20);
  std::int64_t process = 0;
  const Result<> begun = attempt("watch", "", [&]() -> Result<> {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (running_) process = running_->process;
    return Done{};
  });
  if (!begun.ok() || process == 0) return begun;
  while (!stop.load()) {
    bool has_ended = false;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      has_ended = happened_.wait_for(lock, kLookAtStop,
                                     [&] { return !running_ || running_->process != process; });
    }
    if (!has_ended) continue;
    ended();
    break;
  }
  return Done{};
}

}  // namespace rowlock
