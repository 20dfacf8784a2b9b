// HAProxy behind the port of the proxy: files that it checks and starts from, and its runtime
// socket for what changes while it runs. It is a process of its own that outlives Rowlock.
#pragma once

#include "controller/adapters/haproxy/haproxy_control.h"
#include "controller/adapters/haproxy/haproxy_folder.h"
#include "controller/ports/proxy.h"

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

class HaproxyProxy final : public Proxy {
 public:
  // `folder` is Rowlock's own, HOME/proxy. With an empty socket the proxy is run by us, from there;
  // else somebody else runs it, and it answers at that socket (a master's, or a worker's with level
  // admin).
  HaproxyProxy(const std::string& folder, const std::string& socket);

  Result<> save(const ProxyConfig& config) override;
  Result<> start() override;
  Result<> reload() override;
  Result<> stop() override;
  Result<ProxyReport> observe() override;
  Result<SlotReport> look(const std::string& route, int slot) override;
  Result<SlotReport> set_slot(const std::string& route, const ProxySlot& slot) override;
  Result<> set_mode(const std::string& route, const std::string& mode) override;
  Result<> load_certificate(const std::string& file) override;
  Result<> watch(const std::atomic<bool>& stop, const std::function<void()>& ended) override;

 private:
  using Slots = std::map<std::pair<std::string, int>, SlotReport>;  // By route and number.

  Result<std::string> home();
  Result<> start_now();
  Result<> reload_now(const SavedProxy& saved);
  Result<SlotReport> tell_slot(const std::string& attempt, const std::string& route, int slot,
                               std::vector<std::string> commands);
  Result<> add_old_workers(const Told& told, const std::string& home, const std::string& backend,
                           Slots& slots);
  Result<std::vector<SlotReport>> all_slots(const Told& told, const std::string& home);
  Result<std::vector<CertificateReport>> certificates(const SavedProxy& saved);
  std::int64_t process_of_pid_file() const;

  HaproxyFolder folder_;
  bool is_ours_;
  HaproxyControl control_;
  std::mutex mutex_;  // One at a time saves, starts, reloads or stops.
  std::mutex home_mutex_;
  std::string home_;  // Of what was saved; guarded by home_mutex_. Empty: not read yet.
};

}  // namespace rowlock
