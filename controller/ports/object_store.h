// The port to stores that keep objects: folders and S3 buckets.
//
// A transfer lasts as long as there is something to move: it has a deadline for standing still, and
// ends soon once `ending` is set.
//
// Protocol. A store is made for one step and used by one thread. upload() → write(), any number of
// times → finish(), once; an upload that goes without finish() is taken back. What was killed
// half-way is found by abort_uploads(). After a lost answer look() tells what is there.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct StoreAddress {
  std::string url;       // file:///FOLDER | s3://BUCKET or s3://BUCKET/PREFIX
  std::string endpoint;  // Of s3: http[s]://HOST[:PORT]; empty: AWS's own of that region.
  std::string region = "us-east-1";
  bool is_path_style = true;  // http://HOST/BUCKET/KEY, else http://BUCKET.HOST/KEY
  std::string access_key_id;  // Of s3; empty: requests are not signed.
  std::shared_ptr<const SecretBytes> secret_access_key;
  std::string ca_file = {};      // Of s3: whom to trust, a PEM file; empty: whom others do.
  std::int64_t bytes_per_s = 0;  // No more than this on average; 0: any.
};

struct StoredObject {
  std::string key;  // Below the prefix of the store's URL.
  std::int64_t size_bytes = 0;
  std::int64_t stored_at_ms = 0;  // By the store's clock.
};

struct StoreFacts {
  bool is_versioned = false;        // A delete without a version only hides.
  bool has_conditions = false;      // If-None-Match is heeded when an upload is completed.
  std::int64_t clock_ahead_ms = 0;  // Of the store, compared with this machine.
};

// An object that is being written. Nobody sees it before finish() has gone well, and then it is
// there whole; when this goes before that, it is taken back as far as the store can be reached.
class Upload {
 public:
  virtual ~Upload() = default;

  virtual Result<> write(std::string_view bytes) = 0;

  // Makes it visible, and reads back that its size and its content are what was written. Rejected
  // when there is an object of that key already.
  virtual Result<> finish() = 0;
};

// Keys are of a-z, A-Z, 0-9, '.', '_', '-' and '/'.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // Whether it can be reached with these credentials, and what it can do.
  virtual Result<StoreFacts> probe() = 0;

  virtual Result<std::unique_ptr<Upload>> upload(const std::string& key) = 0;

  // An object, or nothing when it does not exist.
  virtual Result<std::optional<StoredObject>> look(const std::string& key) = 0;

  // Up to `length` of its bytes from there on; fewer only at its end, none behind it.
  // Cause::not_found when there is no such object.
  virtual Result<std::string> read(const std::string& key, std::int64_t offset,
                                   std::int64_t length) = 0;

  // All whose keys begin so, by key. Uploads that are not finished are not among them.
  virtual Result<std::vector<StoredObject>> list(const std::string& prefix) = 0;

  // For good, with all its versions. One that is not there counts as removed.
  virtual Result<> remove(const std::string& key) = 0;

  // Takes back uploads of keys that begin so, that were begun before then and never finished; says
  // how many. Those that this process is making are left alone.
  virtual Result<int> abort_uploads(const std::string& prefix, std::int64_t before_ms) = 0;
};

}  // namespace rowlock
