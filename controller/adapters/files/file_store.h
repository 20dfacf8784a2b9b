// Objects as files below a folder of this machine: an own disk, or a share that is mounted. The key
// is the path below it. What is being written has a name beside its own that no key can have, is
// synced and read back, and only then renamed: whoever looks sees a whole object or none, and so it
// stays when the power fails.
#pragma once

#include "controller/base/open_file.h"
#include "controller/ports/object_store.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

class FileStore final : public ObjectStore {
 public:
  // `folder` must be there already, since what is not may be a disk that is not mounted; it may be
  // a symbolic link, and none below it is followed. `ending` outlives this.
  FileStore(std::string folder, std::int64_t bytes_per_s, const std::atomic<bool>& ending);

  Result<StoreFacts> probe() override;
  Result<std::unique_ptr<Upload>> upload(const std::string& key) override;
  Result<std::optional<StoredObject>> look(const std::string& key) override;
  Result<std::string> read(const std::string& key, std::int64_t offset,
                           std::int64_t length) override;
  Result<std::vector<StoredObject>> list(const std::string& prefix) override;
  Result<> remove(const std::string& key) override;
  Result<int> abort_uploads(const std::string& prefix, std::int64_t before_ms) override;

 private:
  Result<OpenFile> open_root(const std::string& attempt) const;

  std::string folder_;
  std::int64_t bytes_per_s_;
  const std::atomic<bool>& ending_;
};

}  // namespace rowlock
