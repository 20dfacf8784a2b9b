// Objects in a bucket of an S3 service, Amazon's or any other.
#pragma once

#include "controller/adapters/s3/s3_client.h"
#include "controller/adapters/s3/s3_upload.h"
#include "controller/ports/object_store.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

class S3Store final : public ObjectStore {
 public:
  // Rejected when the address is none. `ending` outlives this and all its uploads.
  static Result<std::shared_ptr<ObjectStore>> open(const StoreAddress& address,
                                                   const std::atomic<bool>& ending,
                                                   const S3Deadlines& deadlines = {},
                                                   PartBytes part_bytes = s3_part_bytes);

  S3Store(std::shared_ptr<S3Client> client, std::int64_t bytes_per_s, PartBytes part_bytes);

  Result<StoreFacts> probe() override;
  Result<std::unique_ptr<Upload>> upload(const std::string& key) override;
  Result<std::optional<StoredObject>> look(const std::string& key) override;
  Result<std::string> read(const std::string& key, std::int64_t offset,
                           std::int64_t length) override;
  Result<std::vector<StoredObject>> list(const std::string& prefix) override;
  Result<> remove(const std::string& key) override;
  Result<int> abort_uploads(const std::string& prefix, std::int64_t before_ms) override;

 private:
  std::shared_ptr<S3Client> client_;
  std::shared_ptr<S3Conditions> conditions_;
  std::int64_t bytes_per_s_;
  PartBytes part_bytes_;
};

}  // namespace rowlock
