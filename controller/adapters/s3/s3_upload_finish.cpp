// How an upload becomes an object, for certain: an answer that was lost is made good by looking at
// what is there, and what is there is compared with what was written.
#include "controller/adapters/s3/s3_upload.h"
#include "controller/crypto/encoding.h"

#include <algorithm>
#include <utility>

namespace rowlock {

namespace {

constexpr std::int64_t kReadBytes = 8 * 1024 * 1024;

// Whether the request was refused for its condition, which some stores do not know.
bool knows_no_condition(const S3Refusal& refusal) {
  return refusal.status == 501 || refusal.code == "NotImplemented" ||
         (refusal.status == 400 &&
          (refusal.code == "InvalidArgument" || refusal.code == "InvalidRequest"));
}

void add_escaped(std::string& xml, const std::string& text) {
  for (const char c : text) {
    switch (c) {
      case '&': xml += "&amp;"; break;
      case '<': xml += "&lt;"; break;
      case '>': xml += "&gt;"; break;
      case '"': xml += "&quot;"; break;
      default: xml += c;
    }
  }
}

}  // namespace

Error S3Upload::exists() const {
  return client_->error_of(what_,
                           {Fault::rejected, Cause::other, "there is an object of that key already",
                            "remove it first, or use another key"});
}

Result<> S3Upload::finish() {
  CHECK(!is_finished_);
  if (upload_id_.empty()) {
    if (Result<> put = put_whole(); !put.ok()) return put;
  } else {
    if (!filling_.empty()) {
      if (Result<> handed = hand_over(); !handed.ok()) return handed;
    }
    if (Result<> waited = wait_until_sent(); !waited.ok()) return waited;
    stop_sending();
    std::string().swap(sending_);
    if (Result<> completed = complete(); !completed.ok()) return completed;
  }
  std::string().swap(filling_);
  if (Result<> checked = check_stored(); !checked.ok()) return checked;
  is_finished_ = true;
  abort_strays();
  return Done{};
}

Result<> S3Upload::put_whole() {
  const std::string md5 = md5_of(filling_);
  expected_etag_ = to_hex(md5);
  S3Call call;
  call.what = what_;
  call.method = "PUT";
  call.key = key_;
  call.headers = {{"Content-MD5", to_base64(md5)}};
  call.body = filling_;
  call.body_sha256 = sha256_hex(filling_);
  call.size = S3Call::Size::transfer;
  call.pace = &pace_;
  return make_visible(std::move(call), conditions_->when_put);
}

Result<> S3Upload::complete() {
  std::string all_md5;
  std::string xml = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    all_md5 += sent_[i].md5;
    xml += "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>";
    add_escaped(xml, sent_[i].etag);
    xml += "</ETag></Part>";
  }
  xml += "</CompleteMultipartUpload>";
  expected_etag_ = to_hex(md5_of(all_md5)) + "-" + std::to_string(sent_.size());
  S3Call call;
  call.what = what_;
  call.method = "POST";
  call.key = key_;
  call.query = {{"uploadId", upload_id_}};
  call.headers = {{"Content-Type", "application/xml"}};
  call.body = xml;
  call.body_sha256 = sha256_hex(xml);
  call.size = S3Call::Size::completion;
  call.expected_root = "CompleteMultipartUploadResult";
  return make_visible(std::move(call), conditions_->when_completed);
}

Result<> S3Upload::make_visible(S3Call call, std::atomic<bool>& heeds_condition) {
  const TextPairs headers = call.headers;
  call.is_sent_once = true;
  while (true) {
    const bool is_conditional = heeds_condition;
    call.headers = headers;
    if (is_conditional) call.headers.emplace_back("If-None-Match", "*");
    // Some stores take the condition and do not heed it.
    const auto before = TRY(look_at(*client_, key_));
    if (before) {
      const bool is_ours = may_be_visible_ && before->etag == expected_etag_;
      may_be_visible_ = is_ours;
      return is_ours ? Result<>(Done{}) : exists();
    }
    may_be_visible_ = true;
    bool was_sent = false;
    const Result<S3Answer> answer = client_->send(call, &was_sent);
    // Whether or not it was done, check_stored() finds it so.
    if (!answer.ok() && was_sent && !client_->is_ending()) {
      const auto seen = look_at(*client_, key_);
      if (seen.ok() && seen.value() && seen.value()->size_bytes == size_bytes_) return Done{};
    }
    if (!answer.ok()) return answer.error();
    if (!answer.value().is_refused) return Done{};
    const S3Refusal& refusal = answer.value().refusal;
    const bool may_be_ours = answer.value().is_repeated;
    if (may_be_ours) {
      const auto seen = look_at(*client_, key_);
      if (seen.ok() && seen.value() && seen.value()->etag == expected_etag_) return Done{};
    }
    if (!may_be_ours && !may_pass(refusal)) may_be_visible_ = false;
    if (is_conditional && knows_no_condition(refusal)) {
      heeds_condition = false;
      continue;
    }
    if (refusal.status == 412) {
      may_be_visible_ = false;  // It is another's.
      return exists();
    }
    return client_->error_of(call, refusal);
  }
}

// The ETag is an MD5 of the bytes in most stores; where it is anything else, only they can tell.
Result<> S3Upload::check_stored() {
  const auto seen = TRY(look_at(*client_, key_));
  if (!seen) {
    return client_->error_of(
        what_, {Fault::transient, Cause::other, "it is not there once it was written", ""});
  }
  if (seen->size_bytes != size_bytes_) {
    return client_->error_of(what_, {Fault::broken, Cause::other,
                                     "it is there with " + std::to_string(seen->size_bytes) +
                                         " bytes of " + std::to_string(size_bytes_),
                                     "see what the store's log says"});
  }
  return seen->etag == expected_etag_ ? Done{} : check_content();
}

Result<> S3Upload::check_content() {
  StreamDigest found(StreamDigest::Method::sha256);
  std::int64_t offset = 0;
  while (offset < size_bytes_) {
    const auto piece = TRY(read_range(*client_, key_, offset, kReadBytes));
    if (piece.empty()) break;
    found.add(piece);
    offset += static_cast<std::int64_t>(piece.size());
  }
  if (offset != size_bytes_ || found.end() != sha256_.end()) {
    return client_->error_of(
        what_, {Fault::broken, Cause::other, "what is read back is not what was written",
                "see what the store's log says"});
  }
  return Done{};
}

}  // namespace rowlock
