// What is in a bucket, and how it goes: one function for each question that S3 can be asked.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
#pragma once

#include "controller/adapters/s3/s3_client.h"
#include "controller/ports/object_store.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

// All keys are below the place's prefix. With `cleans_up` a call is made even when Rowlock is
// ending.

struct S3Object {
  std::int64_t size_bytes = 0;
  std::string etag;  // Without its quotes.
  std::int64_t stored_at_ms = 0;
  bool has_version = false;
};

// Nothing when there is no such object; an error when that is not known for certain.
Result<std::optional<S3Object>> look_at(S3Client& client, const std::string& key,
                                        bool cleans_up = false);

// As ObjectStore::read().
Result<std::string> read_range(S3Client& client, const std::string& key, std::int64_t offset,
                               std::int64_t length);

// Those alone whose keys are keys of ours. 0: pages are as long as the store makes them.
Result<std::vector<StoredObject>> list_objects(S3Client& client, const std::string& prefix,
                                               int page_keys_max = 0);

// Whether the bucket keeps versions, or has kept some; nothing when the key may not ask.
Result<std::optional<bool>> keeps_versions(S3Client& client, bool cleans_up = false);

// With all its versions. One that is not there counts as removed.
Result<> remove_all(S3Client& client, const std::string& key, bool cleans_up = false);

// Of that very key, those that hide it included.
Result<std::vector<std::string>> list_versions(S3Client& client, const std::string& key,
                                               bool cleans_up = false);

struct PendingUpload {
  std::string key;
  std::string id;
  std::int64_t begun_at_ms = 0;
};

Result<std::vector<PendingUpload>> list_uploads(S3Client& client, const std::string& prefix,
                                                bool cleans_up = false);

// False: there is none such any more.
Result<bool> abort_upload(S3Client& client, const std::string& key, const std::string& id,
                          bool cleans_up = false);

// A moment as S3's XML has it, such as "2009-10-12T17:50:30.000Z"; 0 when it is none.
std::int64_t xml_date_ms(const std::string& text);

}  // namespace rowlock
