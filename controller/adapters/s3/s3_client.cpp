// One loop: sign, send, look at the answer.
#include "controller/adapters/s3/s3_client.h"

#include "controller/adapters/s3/s3_xml.h"
#include "controller/base/time.h"

#include <algorithm>
#include <random>
#include <utility>

namespace rowlock {

namespace {

constexpr std::int64_t kUsPerMs = 1000;
constexpr int kCleanUpTriesMax = 2;

// Between half of it and all of it, so that those who were refused together do not return together.
std::int64_t with_jitter(std::int64_t duration) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return duration / 2 +
         static_cast<std::int64_t>(random()) % std::max<std::int64_t>(1, duration / 2);
}

// A 200 can carry an error, and an answer that has no end: for one that takes long, the status was
// sent before the outcome was known.
bool is_as_expected(const S3Call& call, const HttpAnswer& answer) {
  if (call.expected_root.empty()) return true;
  const Result<XmlElement> read = read_xml(answer.body);
  return read.ok() && read.value().name == call.expected_root;
}

S3Refusal refusal_in(const S3Call& call, const HttpAnswer& answer, std::int64_t now_ms) {
  S3Refusal refusal = read_refusal(answer, now_ms);
  if (answer.status / 100 == 2 && refusal.code.empty()) {
    refusal.code = "InternalError";  // Cut off, or of somebody else: it may pass.
    refusal.message = "the answer is no " + call.expected_root;
  }
  return refusal;
}

}  // namespace

S3Client::S3Client(S3Place place, std::string access_key_id,
                   std::shared_ptr<const SecretBytes> secret, const std::atomic<bool>& ending,
                   const S3Deadlines& deadlines)
    : place_(std::move(place)),
      access_key_id_(std::move(access_key_id)),
      secret_(std::move(secret)),
      ending_(ending),
      deadlines_(deadlines),
      http_(ending) {}

HttpCall S3Client::prepared(const S3Call& call, std::int64_t now_ms) const {
  const std::string date = amz_date(now_ms);
  SignedRequest request{call.method, place_.path(call.key), call.query, call.headers,
                        call.body_sha256};
  request.headers.emplace_back("Host", place_.host);
  request.headers.emplace_back("x-amz-content-sha256", call.body_sha256);
  request.headers.emplace_back("x-amz-date", date);
  if (!access_key_id_.empty()) {
    const SigningScope scope{access_key_id_, secret_->view(), place_.region};
    const std::string signature = authorization(request, scope, date);
    request.headers.emplace_back("Authorization", signature);
  }
  HttpCall http;
  http.method = call.method;
  http.url = place_.scheme + "://" + place_.host + request.path;
  if (!call.query.empty()) http.url += "?" + canonical_query(call.query);
  for (const auto& [name, value] : request.headers) http.headers.push_back(name + ": " + value);
  http.ca_file = place_.ca_file;
  http.body = call.body;
  http.pace = call.pace;
  http.answer_bytes_max = call.answer_bytes_max;
  http.is_sent_once = call.is_sent_once;
  http.stop = call.stop;
  http.goes_on_at_the_end = call.cleans_up;
  set_deadlines(call, http);
  return http;
}

void S3Client::set_deadlines(const S3Call& call, HttpCall& http) const {
  http.connect_ms = deadlines_.connect_ms;
  http.silence_ms = deadlines_.silence_ms;
  switch (call.size) {
    case S3Call::Size::small: http.deadline_ms = deadlines_.answer_ms; break;
    case S3Call::Size::transfer: http.deadline_ms = deadlines_.transfer_ms; break;
    case S3Call::Size::completion:
      http.silence_ms = deadlines_.completion_silence_ms;
      http.deadline_ms = deadlines_.completion_ms;
      break;
  }
  if (call.pace != nullptr) {
    const auto bytes = static_cast<std::int64_t>(call.body.size());
    http.deadline_ms += 2 * call.pace->duration_us(bytes) / kUsPerMs;
  }
  if (call.cleans_up) http.connect_ms = http.deadline_ms = deadlines_.clean_up_ms;
}

bool S3Client::is_given_up(const S3Call& call) const {
  return (ending_ && !call.cleans_up) || (call.stop != nullptr && *call.stop);
}

bool S3Client::wait(const S3Call& call, int tries) const {
  std::int64_t pause_ms = deadlines_.backoff_ms;
  for (int i = 1; i < tries && pause_ms < deadlines_.backoff_max_ms; ++i) pause_ms *= 2;
  pause_ms = with_jitter(std::min(pause_ms, deadlines_.backoff_max_ms));
  return sleep_until_over(pause_ms * kUsPerMs, [&] { return is_given_up(call); });
}

Result<S3Answer> S3Client::send(const S3Call& call, bool* was_sent) {
  bool is_repeated = false;
  const int tries_max = call.cleans_up ? kCleanUpTriesMax : deadlines_.tries_max;
  for (int tries = 1;; ++tries) {
    const std::int64_t now_ms = system_now_ms();
    Result<HttpAnswer> answer = http_.send(prepared(call, now_ms));
    const bool is_last = tries >= tries_max;
    if (!answer.ok()) {
      is_repeated = is_repeated || answer.error().cause != Cause::unreachable;
      if (was_sent != nullptr) *was_sent = is_repeated;
      const bool is_over = is_last || answer.error().fault != Fault::transient ||
                           is_given_up(call) || !wait(call, tries);
      if (is_over) return error_of(call.what, answer.error());
      continue;
    }
    S3Answer made;
    made.http = std::move(answer).value();
    made.is_repeated = is_repeated;
    const int status = made.http.status;
    made.is_refused = status / 100 != 2 || !is_as_expected(call, made.http);
    if (!made.is_refused) return made;
    made.refusal = refusal_in(call, made.http, now_ms);
    if (!may_pass(made.refusal) || is_last) return made;
    is_repeated = true;
    if (was_sent != nullptr) *was_sent = true;
    if (!wait(call, tries)) return made;
  }
}

Result<HttpAnswer> S3Client::order(const S3Call& call) {
  Result<S3Answer> answer = send(call);
  if (!answer.ok()) return answer.error();
  if (answer.value().is_refused) return error_of(call, answer.value().refusal);
  return std::move(answer).value().http;
}

Error S3Client::error_of(const S3Call& call, const S3Refusal& refusal) const {
  Error error = refused(call.what + " in s3://" + place_.bucket, refusal);
  if (error.cause == Cause::denied && access_key_id_.empty()) {
    error.hint =
        "no key was shown: name the secret with access_key_id and secret_access_key in "
        "object_store.secret, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where there is no "
        "home";
  }
  return error;
}

Error S3Client::error_of(const std::string& what, const Error& reason) const {
  Error error = reason;
  error.message = what + " in s3://" + place_.bucket + " at " + place_.host + ": " + reason.message;
  return error;
}

}  // namespace rowlock
