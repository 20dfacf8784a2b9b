// Secrets as files in this machine's memory. Each home has one folder that only its owner can look
// into, in the first place that is memory; in it lies one folder for each instance, to be mounted
// into its container.
//
//   /run/rowlock-0f6d…/           0700: nobody else on this machine comes past it
//   /run/rowlock-0f6d…/web-1/     0755: what the container sees, whoever runs in it
//   /run/rowlock-0f6d…/web-1~     a file that is being written, not to be seen yet
//
// What is in memory may still go to a swap partition: encrypt that, or have none.
#pragma once

#include "controller/ports/secret_folders.h"

#include <mutex>
#include <string>
#include <vector>

namespace rowlock {

// Where a tmpfs may be: the first folder of $RUNTIME_DIRECTORY, /run, /dev/shm. A service that
// has the first must keep it when it ends (RuntimeDirectoryPreserve=yes): containers go on.
std::vector<std::string> memory_places();

// The home's folder as one short name, the same for every path that leads to it. Broken when there
// is no such folder.
Result<std::string> secret_home_name(const std::string& home);

class MemoryFolders final : public SecretFolders {
 public:
  // `home` is the home's folder. Nothing is touched yet.
  explicit MemoryFolders(std::string home, std::vector<std::string> places = memory_places())
      : home_(std::move(home)), places_(std::move(places)) {}

  Result<> write(const std::string& folder, const std::vector<SecretFile>& files) override;
  Result<> put(const std::string& folder, const SecretFile& file) override;
  Result<> remove(const std::string& folder) override;
  Result<std::vector<std::string>> list() override;
  Result<std::string> path(const std::string& folder) override;
  Result<std::string> launcher() override;

 private:
  Result<std::string> base();

  const std::string home_;
  const std::vector<std::string> places_;
  std::mutex mutex_;  // One change at a time: each is a few files in memory.
};

}  // namespace rowlock
