// The one place that knows every kind of store: what stands before :// in a url chooses the
// adapter.
#include "controller/adapters/object_stores.h"

#include "controller/adapters/files/file_store.h"
#include "controller/adapters/s3/s3_store.h"

#include <string>
#include <string_view>
#include <utility>

namespace rowlock {

namespace {

constexpr std::string_view kFile = "file://";
constexpr std::string_view kS3 = "s3://";

class RejectingStore final : public ObjectStore {
 public:
  explicit RejectingStore(Error reason) : reason_(std::move(reason)) {}

  Result<StoreFacts> probe() override { return reason_; }
  Result<std::unique_ptr<Upload>> upload(const std::string&) override { return reason_; }
  Result<std::optional<StoredObject>> look(const std::string&) override { return reason_; }
  Result<std::string> read(const std::string&, std::int64_t, std::int64_t) override {
    return reason_;
  }
  Result<std::vector<StoredObject>> list(const std::string&) override { return reason_; }
  Result<> remove(const std::string&) override { return reason_; }
  Result<int> abort_uploads(const std::string&, std::int64_t) override { return reason_; }

 private:
  Error reason_;
};

std::shared_ptr<ObjectStore> rejecting(const std::string& what, const std::string& hint) {
  return std::make_shared<RejectingStore>(Error{Fault::rejected, Cause::other, what, hint});
}

std::shared_ptr<ObjectStore> file_store_of(const StoreAddress& address,
                                           const std::atomic<bool>& ending) {
  std::string folder = address.url.substr(kFile.size());
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  const bool is_path = folder.starts_with('/') && folder.size() > 1 &&
                       folder.find_first_of(std::string_view("%?#\n\0", 5)) == std::string::npos;
  if (!is_path) {
    return rejecting("'" + address.url + "' names no folder of this machine",
                     "write object_store.url as file:///FOLDER, the path as it is");
  }
  return std::make_shared<FileStore>(folder, address.bytes_per_s, ending);
}

}  // namespace

std::shared_ptr<ObjectStore> object_store_of(const StoreAddress& address,
                                             const std::atomic<bool>& ending) {
  if (address.url.starts_with(kFile)) return file_store_of(address, ending);
  if (address.url.starts_with(kS3)) {
    auto opened = S3Store::open(address, ending);
    if (opened.ok()) return std::move(opened).value();
    return std::make_shared<RejectingStore>(opened.error());
  }
  return rejecting("'" + address.url + "' is the URL of no object store that Rowlock knows",
                   "write object_store.url as file:///FOLDER, s3://BUCKET or s3://BUCKET/PREFIX");
}

}  // namespace rowlock
