// The codes are the same everywhere, the words are not; so the codes decide.
#include "controller/adapters/s3/s3_refusal.h"

#include "controller/adapters/s3/s3_xml.h"
#include "controller/base/text.h"
#include "controller/base/time.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace rowlock {

namespace {

constexpr std::size_t kWordsWidthMax = 200;

struct KnownRefusal {
  const char* code;
  Fault fault;
  Cause cause;
  const char* hint;
};

constexpr char kKeyHint[] =
    "put a key that is valid for this store into the secret: access key id and secret access key";
constexpr char kRoomHint[] = "make room there, or keep fewer backups";

constexpr KnownRefusal kKnown[] = {
    {"InvalidAccessKeyId", Fault::rejected, Cause::denied, kKeyHint},
    {"SignatureDoesNotMatch", Fault::rejected, Cause::denied, kKeyHint},
    {"InvalidToken", Fault::rejected, Cause::denied, kKeyHint},
    {"ExpiredToken", Fault::rejected, Cause::denied, kKeyHint},
    {"AccessDenied", Fault::rejected, Cause::denied,
     "let the key list, read, write and delete in this bucket, or use another one"},
    {"AccountProblem", Fault::rejected, Cause::denied, "ask who runs the store about the account"},
    {"NoSuchBucket", Fault::rejected, Cause::not_found,
     "make the bucket, or correct object_store.url"},
    {"NoSuchKey", Fault::transient, Cause::not_found, ""},
    {"NoSuchUpload", Fault::transient, Cause::not_found,
     "let nothing else take back uploads that are under way"},
    {"InvalidBucketName", Fault::rejected, Cause::other, "correct object_store.url"},
    {"EntityTooLarge", Fault::rejected, Cause::other,
     "the store takes no object of that size: use another one"},
    {"QuotaExceeded", Fault::transient, Cause::other, kRoomHint},
    {"QuotaExceededException", Fault::transient, Cause::other, kRoomHint},
    {"StorageFull", Fault::transient, Cause::other, kRoomHint},
    {"XMinioStorageFull", Fault::transient, Cause::other, kRoomHint},
    {"InsufficientStorage", Fault::transient, Cause::other, kRoomHint},
    {"BadDigest", Fault::transient, Cause::other, "what arrived is not what was sent"},
    {"XAmzContentSHA256Mismatch", Fault::transient, Cause::other,
     "what arrived is not what was sent"},
};

bool is_skew(const S3Refusal& refusal) { return refusal.code == "RequestTimeTooSkewed"; }

bool is_elsewhere(const S3Refusal& refusal) {
  return refusal.status == 301 || refusal.status == 307 || refusal.code == "PermanentRedirect" ||
         refusal.code == "AuthorizationHeaderMalformed" || refusal.code == "TemporaryRedirect" ||
         refusal.code == "IllegalLocationConstraintException";
}

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return (c & 0x80) == 0 && (c < ' ' || c == 0x7F); },
      ' ');
  while (text.ends_with('.') || text.ends_with(' ')) text.pop_back();
  return truncated(text, kWordsWidthMax);
}

// "503 SlowDown: reduce your request rate"
std::string words_of(const S3Refusal& refusal) {
  std::string words = "HTTP " + std::to_string(refusal.status);
  if (!refusal.code.empty()) words += " " + refusal.code;
  if (!refusal.message.empty()) words += ": " + refusal.message;
  return words;
}

Error skewed(const std::string& attempt, const S3Refusal& refusal) {
  const std::string apart =
      refusal.store_at_ms == 0
          ? "the clocks are too far apart, and this machine's says " + rfc3339(refusal.our_at_ms)
          : "the clocks are " +
                human_duration(std::llabs(refusal.store_at_ms - refusal.our_at_ms)) +
                " apart: this machine's says " + rfc3339(refusal.our_at_ms) + ", the store's " +
                rfc3339(refusal.store_at_ms);
  return {Fault::broken, Cause::other, attempt + ": " + apart,
          "set the clock of whichever is wrong; here: timedatectl set-ntp true"};
}

Error elsewhere(const std::string& attempt, const S3Refusal& refusal) {
  const std::string where = refusal.region.empty() ? "" : ": it is in " + refusal.region;
  return {Fault::rejected, Cause::other,
          attempt + ": the bucket is in another region" + where + " (" + words_of(refusal) + ")",
          "correct object_store.region or object_store.endpoint"};
}

}  // namespace

S3Refusal read_refusal(const HttpAnswer& answer, std::int64_t our_at_ms) {
  S3Refusal refusal;
  refusal.status = answer.status;
  refusal.our_at_ms = our_at_ms;
  refusal.store_at_ms = http_date_ms(answer.header("date"));
  refusal.region = one_line(answer.header("x-amz-bucket-region"));
  const Result<XmlElement> read = read_xml(answer.body);
  if (!read.ok() || read.value().name != "Error") return refusal;
  const XmlElement& error = read.value();
  refusal.code = one_line(error.value("Code"));
  refusal.message = one_line(error.value("Message"));
  if (!error.value("Region").empty()) refusal.region = one_line(error.value("Region"));
  return refusal;
}

bool may_pass(const S3Refusal& refusal) {
  constexpr std::array kPassing = {
      "InternalError",        "SlowDown",        "ServiceUnavailable",
      "RequestTimeout",       "Throttling",      "ThrottlingException",
      "RequestLimitExceeded", "TooManyRequests", "ConditionalRequestConflict",
      "OperationAborted"};
  const bool is_named = std::find(kPassing.begin(), kPassing.end(), refusal.code) != kPassing.end();
  return is_named || refusal.status == 500 || refusal.status == 502 || refusal.status == 503 ||
         refusal.status == 504 || refusal.status == 429 || refusal.status == 408;
}

Error refused(const std::string& attempt, const S3Refusal& refusal) {
  if (is_skew(refusal)) return skewed(attempt, refusal);
  if (is_elsewhere(refusal)) return elsewhere(attempt, refusal);
  const std::string message = attempt + ": " + words_of(refusal);
  for (const KnownRefusal& known : kKnown) {
    if (refusal.code == known.code) return {known.fault, known.cause, message, known.hint};
  }
  if (refusal.status == 507) return {Fault::transient, Cause::other, message, kRoomHint};
  if (refusal.status == 401 || refusal.status == 403) {
    return {Fault::rejected, Cause::denied, message, kKeyHint};
  }
  if (refusal.status == 404) return {Fault::transient, Cause::not_found, message, ""};
  if (refusal.status < 500 && refusal.status != 409 && !may_pass(refusal)) {
    return {Fault::rejected, Cause::other, message,
            "see whether object_store.endpoint is that of an S3 service, and what its log says"};
  }
  return {Fault::transient, Cause::other, message, ""};
}

}  // namespace rowlock
