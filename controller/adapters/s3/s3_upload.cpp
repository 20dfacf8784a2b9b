// Filling, sending, and what is left when it fails. How it becomes visible is in
// s3_upload_finish.cpp.
#include "controller/adapters/s3/s3_upload.h"

#include "controller/adapters/s3/s3_xml.h"
#include "controller/crypto/encoding.h"

#include <algorithm>
#include <utility>

namespace rowlock {

namespace {

constexpr std::size_t kMiB = 1024 * 1024;

constexpr std::size_t kDoubledBytesMax = 8 * kMiB;  // Parts up to this fill while one is sent.

constexpr std::size_t kSmallBytesMax = 256 * 1024;

// What is small does not take the room of a part: all of a block is overwritten when it is freed,
// and so would be in memory then, beside a large upload that is under way.
void make_room(std::string& buffer, std::size_t wanted, std::size_t part) {
  const std::size_t size = wanted <= kSmallBytesMax ? std::min(kSmallBytesMax, part) : part;
  if (buffer.capacity() >= size) return;
  if (buffer.empty()) std::string().swap(buffer);  // Or both would be held for a moment.
  buffer.reserve(size);
}

}  // namespace

S3RunningUploads& S3RunningUploads::of_this_process() {
  static S3RunningUploads uploads;
  return uploads;
}

void S3RunningUploads::add(const std::string& id) {
  const std::lock_guard lock(mutex_);
  ids_.push_back(id);
}

void S3RunningUploads::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  std::erase(ids_, id);
}

bool S3RunningUploads::has(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return std::find(ids_.begin(), ids_.end(), id) != ids_.end();
}

std::size_t s3_part_bytes(int number) {
  if (number <= 2000) return 5 * kMiB;  // The least that S3 takes.
  if (number <= 4000) return kDoubledBytesMax;
  return 2 * kDoubledBytesMax;
}

S3Upload::S3Upload(std::shared_ptr<S3Client> client, std::shared_ptr<S3Conditions> conditions,
                   std::string key, std::int64_t bytes_per_s, PartBytes part_bytes)
    : client_(std::move(client)),
      conditions_(std::move(conditions)),
      key_(std::move(key)),
      what_("write " + key_),
      pace_(bytes_per_s),
      part_bytes_(part_bytes),
      sha256_(StreamDigest::Method::sha256) {}

S3Upload::~S3Upload() {
  stop_sending();
  if (!is_finished_) take_back();
  if (!upload_id_.empty()) S3RunningUploads::of_this_process().remove(upload_id_);
}

// ---- Filling -----------------------------------------------------------------------------------

Result<> S3Upload::write(std::string_view bytes) {
  CHECK(!is_finished_);
  sha256_.add(bytes);
  size_bytes_ += static_cast<std::int64_t>(bytes.size());
  while (!bytes.empty()) {
    const std::size_t size = part_bytes_(parts_ + 1);
    if (filling_.size() == size) {
      if (Result<> handed = hand_over(); !handed.ok()) return handed;
      continue;
    }
    const std::string_view piece = bytes.substr(0, size - filling_.size());
    make_room(filling_, filling_.size() + piece.size(), size);
    filling_ += piece;
    bytes.remove_prefix(piece.size());
  }
  return Done{};
}

Result<> S3Upload::hand_over() {
  if (parts_ == kPartsMax) {
    return client_->error_of(what_, {Fault::rejected, Cause::other,
                                     "it is larger than the 128 GB that are written to a bucket",
                                     "have less in it, or use a store that is a folder"});
  }
  if (upload_id_.empty()) {
    if (Result<> begun = begin_parts(); !begun.ok()) return begun;
  }
  if (Result<> waited = wait_until_sent(); !waited.ok()) return waited;
  {
    const std::lock_guard lock(mutex_);
    std::swap(filling_, sending_);
    is_sending_ = true;
    ++parts_;
  }
  changed_.notify_all();
  filling_.clear();
  return part_bytes_(parts_ + 1) <= kDoubledBytesMax ? Result<>(Done{}) : take_turns();
}

// Two that large are too much to hold: what was sent is filled anew.
Result<> S3Upload::take_turns() {
  if (Result<> waited = wait_until_sent(); !waited.ok()) return waited;
  const std::lock_guard lock(mutex_);
  filling_.swap(sending_);
  filling_.clear();
  std::string().swap(sending_);
  return Done{};
}

Result<> S3Upload::wait_until_sent() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !is_sending_; });
  if (failure_) return *failure_;
  return Done{};
}

// ---- Sending -----------------------------------------------------------------------------------

Result<> S3Upload::begin_parts() {
  S3Call call;
  call.what = what_;
  call.method = "POST";
  call.key = key_;
  call.query = {{"uploads", ""}};
  call.expected_root = "InitiateMultipartUploadResult";
  call.is_sent_once = true;
  const Result<S3Answer> answer = client_->send(call, &may_have_strays_);
  if (!answer.ok()) return answer.error();
  if (answer.value().is_refused) return client_->error_of(call, answer.value().refusal);
  const Result<XmlElement> read = read_xml(answer.value().http.body);
  const std::string id = read.ok() ? read.value().value("UploadId") : "";
  if (id.empty()) {
    return client_->error_of(what_, {Fault::broken, Cause::other, "it gives the upload no id", ""});
  }
  upload_id_ = id;
  S3RunningUploads::of_this_process().add(id);
  thread_ = std::thread([this] { send_parts(); });
  return Done{};
}

void S3Upload::send_parts() {
  for (int number = 1;; ++number) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_sending_ || stops_; });
      if (stops_) return;
    }
    Result<SentPart> sent = send_part(number, sending_);
    {
      const std::lock_guard lock(mutex_);
      is_sending_ = false;
      if (sent.ok()) {
        sent_.push_back(std::move(sent).value());
      } else {
        failure_ = sent.error();
      }
    }
    changed_.notify_all();
    if (!sent.ok()) return;
  }
}

Result<S3Upload::SentPart> S3Upload::send_part(int number, const std::string& bytes) {
  SentPart part;
  part.md5 = md5_of(bytes);
  S3Call call;
  call.what = what_;
  call.method = "PUT";
  call.key = key_;
  call.query = {{"partNumber", std::to_string(number)}, {"uploadId", upload_id_}};
  call.headers = {{"Content-MD5", to_base64(part.md5)}};
  call.body = bytes;
  call.body_sha256 = sha256_hex(bytes);
  call.size = S3Call::Size::transfer;
  call.pace = &pace_;
  call.stop = &stops_;
  const Result<HttpAnswer> answer = client_->order(call);
  if (!answer.ok()) return answer.error();
  part.etag = answer.value().header("etag");
  if (part.etag.empty()) {
    return client_->error_of(what_, {Fault::broken, Cause::other, "it gives a part no ETag", ""});
  }
  return part;
}

void S3Upload::stop_sending() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

// ---- When it fails -----------------------------------------------------------------------------

// What cannot be reached now is taken back later, as an upload that nobody finishes.
void S3Upload::take_back() {
  if (!upload_id_.empty() && !abort_upload(*client_, key_, upload_id_, true).ok()) return;
  abort_strays();
  if (may_be_visible_) (void)remove_all(*client_, key_, true);
}

void S3Upload::abort_strays() {
  if (!may_have_strays_) return;
  const auto strays = list_uploads(*client_, key_, true);
  if (!strays.ok()) return;
  for (const PendingUpload& stray : strays.value()) {
    if (stray.key == key_ && !S3RunningUploads::of_this_process().has(stray.id)) {
      (void)abort_upload(*client_, key_, stray.id, true);
    }
  }
}

}  // namespace rowlock
