// Secret folders in a map. They answer as the real ones do, which tests/conformance/ proves, and a
// test can lose them, as a machine that starts anew does, or have calls fail.
#pragma once

#include "controller/ports/secret_folders.h"
#include "tests/fakes/fault_plan.h"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

class FakeSecretFolders final : public SecretFolders {
 public:
  struct File {
    std::string content;
    int mode = 0;
    int user = 0;
    int group = 0;

    bool operator==(const File&) const = default;
  };

  // Asked once at the start of every call: with the method's name, and the folder's ("" if none).
  void set_faults(
      std::function<FaultPlan(const std::string& call, const std::string& folder)> faults);
  void lose_all();  // The machine has started anew.

  // -- For those who check.
  std::optional<File> file(const std::string& folder, const std::string& name) const;
  std::vector<std::string> files(const std::string& folder) const;  // Their names.
  std::vector<std::string> folders() const;
  std::int64_t changes() const;  // How often a call has changed something.

  Result<> write(const std::string& folder, const std::vector<SecretFile>& files) override;
  Result<> put(const std::string& folder, const SecretFile& file) override;
  Result<> remove(const std::string& folder) override;
  Result<std::vector<std::string>> list() override;
  Result<std::string> path(const std::string& folder) override;
  Result<std::string> launcher() override;

 private:
  using Files = std::map<std::string, File>;

  template <typename Act>
  auto attempt(const std::string& call, const std::string& folder, Act act) -> decltype(act());

  mutable std::mutex mutex_;
  std::map<std::string, Files> folders_;
  std::function<FaultPlan(const std::string&, const std::string&)> faults_;
  std::int64_t changes_ = 0;
};

}  // namespace rowlock
