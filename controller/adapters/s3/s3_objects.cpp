// One object: whether it is there, what is in it, and how it goes.
#include "controller/adapters/s3/s3_objects.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace rowlock {

namespace {

constexpr int kLooksMax = 3;
constexpr std::size_t kRefusalBytesMax = 64 * 1024;  // Room for an error in place of an object.

std::int64_t number_in(std::string_view text) {
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

S3Object object_in(const HttpAnswer& answer) {
  S3Object object;
  object.size_bytes = number_in(answer.header("content-length"));
  object.etag = answer.header("etag");
  std::erase(object.etag, '"');
  object.stored_at_ms = http_date_ms(answer.header("last-modified"));
  const std::string version = answer.header("x-amz-version-id");
  object.has_version = !version.empty() && version != "null";
  return object;
}

S3Call first_byte_of(const std::string& key, bool cleans_up) {
  S3Call call;
  call.what = "look for " + key;
  call.method = "GET";
  call.key = key;
  call.headers = {{"Range", "bytes=0-0"}};
  call.cleans_up = cleans_up;
  return call;
}

Error odd_answer(const S3Client& client, const std::string& what, const std::string& why) {
  return client.error_of(what, {Fault::broken, Cause::other, why, ""});
}

// "bytes 5-9/1000": what was given, of how much; nothing when it is not that.
struct GivenRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t total = 0;
};
std::optional<GivenRange> read_given_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (!text.starts_with(kUnit) || dash == std::string_view::npos ||
      slash == std::string_view::npos || dash > slash) {
    return std::nullopt;
  }
  const GivenRange range{number_in(text.substr(kUnit.size(), dash - kUnit.size())),
                         number_in(text.substr(dash + 1, slash - dash - 1)),
                         number_in(text.substr(slash + 1))};
  if (range.first < 0 || range.last < range.first || range.total <= range.last) return std::nullopt;
  return range;
}

// The body, when it is all that was asked for and the object has.
Result<std::string> asked_part(const S3Client& client, const S3Call& call, HttpAnswer answer,
                               std::int64_t offset, std::int64_t length) {
  const auto size = static_cast<std::int64_t>(answer.body.size());
  if (answer.status == 200) {
    if (offset == 0 && size <= length && answer.header("content-length") == std::to_string(size)) {
      return std::move(answer.body);
    }
    return odd_answer(client, call.what, "it gives no part of an object, but the whole of it");
  }
  const std::optional<GivenRange> given = read_given_range(answer.header("content-range"));
  const std::int64_t last = given ? std::min(offset + length, given->total) - 1 : 0;
  if (given && given->last == last && size < last - offset + 1) {
    return client.error_of(call.what,
                           {Fault::transient, Cause::other, "it broke off its answer", ""});
  }
  if (!given || given->first != offset || given->last != last || size != last - offset + 1) {
    return odd_answer(client, call.what, "it gives another part of the object than was asked for");
  }
  return std::move(answer.body);
}

Result<> remove_version(S3Client& client, const std::string& key, const std::string& version,
                        bool cleans_up) {
  S3Call call;
  call.what = "remove " + key;
  call.method = "DELETE";
  call.key = key;
  if (!version.empty()) call.query = {{"versionId", version}};
  call.cleans_up = cleans_up;
  const Result<S3Answer> answer = client.send(call);
  if (!answer.ok()) return answer.error();
  const std::string& code = answer.value().refusal.code;
  if (answer.value().is_refused && code != "NoSuchKey" && code != "NoSuchVersion") {
    return client.error_of(call, answer.value().refusal);
  }
  return Done{};
}

// The key may have no right to ask whether the bucket keeps versions; an object's own answer tells.
Result<bool> has_versions(S3Client& client, const std::string& key, bool cleans_up) {
  const Result<std::optional<bool>> told = keeps_versions(client, cleans_up);
  if (told.ok() && told.value()) return *told.value();
  const Result<std::optional<S3Object>> seen = look_at(client, key, cleans_up);
  if (!seen.ok()) return seen.error();
  return seen.value() && seen.value()->has_version;
}

}  // namespace

// An answer to HEAD has no body, and so no reason; a GET of the first byte hears it.
Result<std::optional<S3Object>> look_at(S3Client& client, const std::string& key, bool cleans_up) {
  S3Call head;
  head.what = "look for " + key;
  head.method = "HEAD";
  head.key = key;
  head.cleans_up = cleans_up;
  for (int look = 0; look < kLooksMax; ++look) {
    const Result<S3Answer> seen = client.send(head);
    if (!seen.ok()) return seen.error();
    if (!seen.value().is_refused) {
      const S3Object object = object_in(seen.value().http);
      if (object.size_bytes < 0) return odd_answer(client, head.what, "it does not say the size");
      return std::optional<S3Object>(object);
    }
    const S3Call get = first_byte_of(key, cleans_up);
    const Result<S3Answer> reason = client.send(get);
    if (!reason.ok()) return reason.error();
    if (!reason.value().is_refused || reason.value().http.status == 416) continue;
    const S3Refusal& refusal = reason.value().refusal;
    if (refusal.status == 404 && refusal.code == "NoSuchKey") return std::optional<S3Object>();
    return client.error_of(get, refusal);
  }
  return odd_answer(client, head.what, "it says now that there is one, and now that there is none");
}

Result<std::string> read_range(S3Client& client, const std::string& key, std::int64_t offset,
                               std::int64_t length) {
  CHECK(offset >= 0 && length >= 0);
  if (length == 0) return std::string();
  S3Call call;
  call.what = "read " + key;
  call.method = "GET";
  call.key = key;
  call.headers = {
      {"Range", "bytes=" + std::to_string(offset) + "-" + std::to_string(offset + length - 1)}};
  call.size = S3Call::Size::transfer;
  call.answer_bytes_max = static_cast<std::size_t>(length) + kRefusalBytesMax;
  Result<S3Answer> answer = client.send(call);
  if (!answer.ok()) return answer.error();
  if (answer.value().http.status == 416) return std::string();  // It ends before that.
  if (answer.value().is_refused) return client.error_of(call, answer.value().refusal);
  return asked_part(client, call, std::move(answer).value().http, offset, length);
}

Result<> remove_all(S3Client& client, const std::string& key, bool cleans_up) {
  const Result<bool> versions = has_versions(client, key, cleans_up);
  if (!versions.ok()) return versions.error();
  if (!versions.value()) return remove_version(client, key, "", cleans_up);
  const Result<std::vector<std::string>> listed = list_versions(client, key, cleans_up);
  if (!listed.ok()) return listed.error();
  for (const std::string& version : listed.value()) {
    if (Result<> removed = remove_version(client, key, version, cleans_up); !removed.ok()) {
      return removed;
    }
  }
  return Done{};
}

Result<bool> abort_upload(S3Client& client, const std::string& key, const std::string& id,
                          bool cleans_up) {
  S3Call call;
  call.what = "take back an upload of " + key;
  call.method = "DELETE";
  call.key = key;
  call.query = {{"uploadId", id}};
  call.cleans_up = cleans_up;
  const Result<S3Answer> answer = client.send(call);
  if (!answer.ok()) return answer.error();
  if (!answer.value().is_refused) return true;
  if (answer.value().refusal.code == "NoSuchUpload") return false;
  return client.error_of(call, answer.value().refusal);
}

}  // namespace rowlock
