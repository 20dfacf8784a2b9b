// A proxy in memory. It answers as the real one does, which tests/conformance/ proves, and a test
// can break it: kill it, keep requests under way, leave workers from before a reload, lose answers.
// It carries no byte; what matters is whom it would give requests.
#pragma once

#include "controller/ports/proxy.h"
#include "tests/fakes/fault_plan.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

class FakeProxy final : public Proxy {
 public:
  // -- How it behaves.
  void refuse_next_save(const std::string& words);  // In these words, once.
  // Asked at every save for the words of refusal; none: it is good.
  void refuse_saves(std::function<std::string(const ProxyConfig&)> words);
  // Whether a worker stays after a reload though it has no requests, until end_old_workers().
  void linger_after_reload(bool lingers);
  void set_managed_by_others(bool are_others);  // start() and stop() are then rejected.

  // -- Certificates. A file that is there; one that is not good cannot be used.
  void put_certificate(const std::string& file, std::int64_t version, bool good = true,
                       const std::string& names = "example.org",
                       std::int64_t not_after_ms = 4'000'000'000'000);
  void remove_certificate(const std::string& file);

  // -- What happens to it behind the controller's back.
  // Somebody else starts it, from what was saved; from a configuration of another home when nothing
  // was.
  void start_by_hand();
  void kill();  // With its old workers, and every request under way.
  // A request begins in a slot. False where none can: it does not run, or the slot is not ready.
  bool begin_session(const std::string& route, int slot);
  // One request of that slot ends, in the oldest worker that has any; false when none has.
  bool end_session(const std::string& route, int slot);
  void end_old_workers();                 // And the requests in them.
  void refuse_heads(std::int64_t count);  // So many requests more could not be read.

  // Asked once at the start of every call: with the method's name, and the route's or the
  // certificate's ("" if none).
  void set_faults(
      std::function<FaultPlan(const std::string& call, const std::string& name)> faults);
  // Told of every call that changes something, unless a fault kept it away, before it does
  // anything: with the route's name and the slot that is wanted (number 0 if none). It and the next
  // may call the fake.
  void on_call(
      std::function<void(const std::string& call, const std::string& route, const ProxySlot& slot)>
          listener);
  // Told what watch() would tell, at once and on the thread that caused it.
  void on_end(std::function<void()> listener);

  // -- For those who check.
  bool running() const;
  std::vector<SlotReport> slots() const;  // As observe() tells them.
  ProxyConfig saved() const;              // An empty one when nothing was.
  std::int64_t generation() const;        // Of what runs; -1 when none does.
  std::int64_t changes() const;  // How often a call through the port has changed something.
  // Whether a request may go there: from a ready slot of what runs, or from an old worker.
  bool is_given_requests(const std::string& address, int port) const;

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
  using Key = std::pair<std::string, int>;  // A route's name and a slot's number.

  struct Place {
    ProxySlot slot;
    std::int64_t sessions = 0;  // In this worker alone.
  };
  using Worker = std::map<Key, Place>;

  struct Certificate {
    std::int64_t version = 0;
    bool good = true;
    std::string names;
    std::int64_t not_after_ms = 0;
  };

  struct Running {
    std::int64_t process = 0;
    std::int64_t generation = 0;
    Worker worker;
    std::map<std::string, std::string> modes;  // By route, of all that it has.
    std::map<std::string, Certificate> loaded;
    std::vector<Worker> old_workers;  // The oldest first.
    std::int64_t unread = 0;
  };

  template <typename Act>
  auto attempt(const std::string& call, const std::string& name, Act act) -> decltype(act());
  template <typename Act>
  auto change(const std::string& call, const std::string& route, const ProxySlot& slot, Act act)
      -> decltype(act());
  void tell_ends();

  // All below require mutex_ to be held.
  Place* place(const std::string& route, int slot);
  void end();
  void take_saved();  // Into what runs; requests under way stay with the worker before.
  void drop_idle_workers();
  SlotReport report(const Key& key) const;
  std::vector<SlotReport> reports() const;
  std::vector<CertificateReport> certificate_reports() const;
  std::vector<std::string> certificate_files(const ProxyConfig& config) const;
  std::string words_of_refusal(const ProxyConfig& config);
  std::optional<Error> reason_not_to_run(const std::string& what) const;

  mutable std::mutex mutex_;
  std::condition_variable happened_;
  std::optional<ProxyConfig> saved_;
  std::vector<std::string> saved_files_;  // Of certificates, when it was saved.
  std::optional<Running> running_;
  std::map<std::string, Certificate> certificates_;  // By file.
  std::string next_refusal_;
  std::function<std::string(const ProxyConfig&)> refusals_;
  std::function<FaultPlan(const std::string&, const std::string&)> faults_;
  std::function<void(const std::string&, const std::string&, const ProxySlot&)> call_listener_;
  std::function<void()> end_listener_;
  bool lingers_ = false;
  bool managed_by_others_ = false;
  std::int64_t changes_ = 0;
  std::int64_t processes_ = 0;  // Numbers them.
  int untold_ends_ = 0;         // Not yet told to end_listener_.
};

}  // namespace rowlock
