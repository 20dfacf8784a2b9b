// The port, in terms of what S3 can be asked: each call goes to one of the files beside this one.
#include "controller/adapters/s3/s3_store.h"

#include "controller/adapters/object_key.h"
#include "controller/adapters/s3/s3_objects.h"
#include "controller/adapters/s3/s3_probe.h"

#include <utility>

namespace rowlock {

Result<std::shared_ptr<ObjectStore>> S3Store::open(const StoreAddress& address,
                                                   const std::atomic<bool>& ending,
                                                   const S3Deadlines& deadlines,
                                                   PartBytes part_bytes) {
  Result<S3Place> place = read_s3_place(address);
  if (!place.ok()) return place.error();
  auto client = std::make_shared<S3Client>(std::move(place).value(), address.access_key_id,
                                           address.secret_access_key, ending, deadlines);
  return std::shared_ptr<ObjectStore>(
      std::make_shared<S3Store>(std::move(client), address.bytes_per_s, part_bytes));
}

S3Store::S3Store(std::shared_ptr<S3Client> client, std::int64_t bytes_per_s, PartBytes part_bytes)
    : client_(std::move(client)),
      conditions_(std::make_shared<S3Conditions>()),
      bytes_per_s_(bytes_per_s),
      part_bytes_(part_bytes) {}

Result<StoreFacts> S3Store::probe() {
  Result<StoreFacts> facts = probe_bucket(*client_);
  if (facts.ok()) conditions_->when_completed = facts.value().has_conditions;
  return facts;
}

Result<std::unique_ptr<Upload>> S3Store::upload(const std::string& key) {
  if (Result<> checked = check_key(key); !checked.ok()) return checked.error();
  const auto seen = TRY(look_at(*client_, key));
  if (seen) {
    return client_->error_of(
        "write " + key, {Fault::rejected, Cause::other, "there is an object of that key already",
                         "remove it first, or use another key"});
  }
  return std::unique_ptr<Upload>(
      std::make_unique<S3Upload>(client_, conditions_, key, bytes_per_s_, part_bytes_));
}

Result<std::optional<StoredObject>> S3Store::look(const std::string& key) {
  if (Result<> checked = check_key(key); !checked.ok()) return checked.error();
  const auto seen = TRY(look_at(*client_, key));
  if (!seen) return std::optional<StoredObject>();
  return std::optional<StoredObject>({key, seen->size_bytes, seen->stored_at_ms});
}

Result<std::string> S3Store::read(const std::string& key, std::int64_t offset,
                                  std::int64_t length) {
  if (Result<> checked = check_key(key); !checked.ok()) return checked.error();
  return read_range(*client_, key, offset, length);
}

Result<std::vector<StoredObject>> S3Store::list(const std::string& prefix) {
  if (Result<> checked = check_key_prefix(prefix); !checked.ok()) return checked.error();
  return list_objects(*client_, prefix);
}

Result<> S3Store::remove(const std::string& key) {
  if (Result<> checked = check_key(key); !checked.ok()) return checked.error();
  return remove_all(*client_, key);
}

Result<int> S3Store::abort_uploads(const std::string& prefix, std::int64_t before_ms) {
  if (Result<> checked = check_key_prefix(prefix); !checked.ok()) return checked.error();
  const auto uploads = TRY(list_uploads(*client_, prefix));
  int count = 0;
  for (const PendingUpload& each : uploads) {
    const bool is_ours = S3RunningUploads::of_this_process().has(each.id);
    if (is_ours || each.begun_at_ms >= before_ms) continue;
    const Result<bool> aborted = abort_upload(*client_, each.key, each.id);
    if (!aborted.ok()) return aborted.error();
    if (aborted.value()) ++count;
  }
  return count;
}

}  // namespace rowlock
