// One object of a bucket, while it is written: what fits into one part is put in one piece,
// anything larger part by part, each sent by a thread of its own while the next one fills. No more
// than 16 MiB are held in memory: of an object of over 26 GB, parts are filled and sent by turns.
#pragma once

#include "controller/adapters/digest.h"
#include "controller/adapters/pace.h"
#include "controller/adapters/s3/s3_objects.h"
#include "controller/ports/object_store.h"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace rowlock {

// What one store was found to heed, shared by all that goes into it. It begins with the belief that
// it heeds all.
struct S3Conditions {
  std::atomic<bool> when_put = true;
  std::atomic<bool> when_completed = true;
};

// The uploads in parts that this process is making, so that none of them is taken back as one that
// nobody finishes.
class S3RunningUploads {
 public:
  static S3RunningUploads& of_this_process();

  void add(const std::string& id);
  void remove(const std::string& id);
  bool has(const std::string& id) const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> ids_;
};

// Of a part with that number, from 1: they grow, so that their number suffices for large objects
// and their size does for small ones.
std::size_t s3_part_bytes(int number);
using PartBytes = std::size_t (*)(int number);
constexpr int kPartsMax = 10'000;

class S3Upload final : public Upload {
 public:
  S3Upload(std::shared_ptr<S3Client> client, std::shared_ptr<S3Conditions> conditions,
           std::string key, std::int64_t bytes_per_s, PartBytes part_bytes);
  ~S3Upload() override;
  S3Upload(const S3Upload&) = delete;
  S3Upload& operator=(const S3Upload&) = delete;

  Result<> write(std::string_view bytes) override;
  Result<> finish() override;

 private:
  struct SentPart {
    std::string etag;  // As the store gave it.
    std::string md5;   // As it was sent, in bytes.
  };

  Result<> begin_parts();
  Result<> hand_over();  // What has filled becomes what is sent.
  Result<> take_turns();
  Result<> wait_until_sent();
  void stop_sending();
  void send_parts();  // On the thread.
  Result<SentPart> send_part(int number, const std::string& bytes);

  Result<> put_whole();
  Result<> complete();
  // Sends what makes the object visible, on the condition that there is none if the store heeds
  // that.
  Result<> make_visible(S3Call call, std::atomic<bool>& heeds_condition);
  Result<> check_stored();
  Result<> check_content();
  void take_back();
  void abort_strays();
  Error exists() const;

  const std::shared_ptr<S3Client> client_;
  const std::shared_ptr<S3Conditions> conditions_;
  const std::string key_;
  const std::string what_;  // "write KEY"
  Pace pace_;
  PartBytes part_bytes_;
  StreamDigest sha256_;
  std::int64_t size_bytes_ = 0;
  std::string expected_etag_;
  bool is_finished_ = false;
  bool may_be_visible_ = false;
  bool may_have_strays_ = false;  // Begun by a request whose answer was lost.

  std::string upload_id_;  // Empty: no part was sent yet.
  std::string filling_;
  int parts_ = 0;  // Handed over so far.

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string sending_;      // Guarded by mutex_, as what follows; the thread's own while
  bool is_sending_ = false;  // this is set.
  std::vector<SentPart> sent_;
  std::optional<Error> failure_;
  std::atomic<bool> stops_ = false;
  std::thread thread_;
};

}  // namespace rowlock
