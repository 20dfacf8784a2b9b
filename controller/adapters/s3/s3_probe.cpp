// Few bytes, and all that a backup does: list, write, complete, take back, remove.
#include "controller/adapters/s3/s3_probe.h"

#include "controller/adapters/digest.h"
#include "controller/adapters/s3/s3_objects.h"
#include "controller/adapters/s3/s3_xml.h"
#include "controller/base/time.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/secret_bytes.h"

#include <optional>

namespace rowlock {

namespace {

constexpr char kBody[] = "rowlock";
constexpr std::size_t kRandomBytes = 8;
constexpr std::int64_t kMsPerS = 1000;

S3Call call_of(const std::string& method, const std::string& key, const TextPairs& query,
               std::string_view body) {
  S3Call call;
  call.what = "probe the store";
  call.method = method;
  call.key = key;
  call.query = query;
  call.body = body;
  call.body_sha256 = sha256_hex(body);
  return call;
}

// A store says whole seconds; within them the clocks agree.
std::int64_t ahead_ms(const HttpAnswer& answer, std::int64_t before_ms, std::int64_t after_ms) {
  const std::int64_t said_ms = http_date_ms(answer.header("date"));
  if (said_ms == 0) return 0;
  if (said_ms > after_ms) return said_ms - after_ms;
  if (said_ms + kMsPerS < before_ms) return said_ms + kMsPerS - before_ms;
  return 0;
}

// There is an object: whether an upload in parts still gets its key, in spite of the condition.
Result<bool> refuses_completion(S3Client& client, const std::string& key) {
  S3Call begin = call_of("POST", key, {{"uploads", ""}}, "");
  begin.expected_root = "InitiateMultipartUploadResult";
  const Result<HttpAnswer> begun = client.order(begin);
  if (!begun.ok()) return begun.error();
  const Result<XmlElement> read = read_xml(begun.value().body);
  const std::string id = read.ok() ? read.value().value("UploadId") : "";
  const Result<HttpAnswer> part =
      client.order(call_of("PUT", key, {{"partNumber", "1"}, {"uploadId", id}}, kBody));
  bool refuses = false;
  if (part.ok()) {
    const std::string xml = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" +
                            part.value().header("etag") +
                            "</ETag></Part></CompleteMultipartUpload>";
    S3Call complete = call_of("POST", key, {{"uploadId", id}}, xml);
    complete.headers = {{"If-None-Match", "*"}, {"Content-Type", "application/xml"}};
    const Result<S3Answer> answer = client.send(complete);
    refuses = answer.ok() && answer.value().http.status == 412;
  }
  const Result<bool> aborted = abort_upload(client, key, id);
  if (!part.ok()) return part.error();
  if (refuses && !aborted.ok()) return aborted.error();
  return refuses;
}

}  // namespace

Result<StoreFacts> probe_bucket(S3Client& client) {
  StoreFacts facts;
  const Result<std::optional<bool>> versions = keeps_versions(client);
  if (!versions.ok()) return versions.error();
  const std::string key = ".rowlock-probe-" + to_hex(SecretBytes::random(kRandomBytes).view());
  S3Call put = call_of("PUT", key, {}, kBody);
  put.headers = {{"Content-MD5", to_base64(md5_of(kBody))}};
  const std::int64_t before_ms = system_now_ms();
  const Result<HttpAnswer> stored = client.order(put);
  if (!stored.ok()) return stored.error();
  facts.clock_ahead_ms = ahead_ms(stored.value(), before_ms, system_now_ms());
  const std::string version = stored.value().header("x-amz-version-id");
  facts.is_versioned = versions.value().value_or(!version.empty() && version != "null");
  const Result<bool> refuses = refuses_completion(client, key);
  // Where objects are locked for some days, it stays as long.
  (void)remove_all(client, key, true);
  if (!refuses.ok()) return refuses.error();
  facts.has_conditions = refuses.value();
  const Result<std::vector<StoredObject>> listed = list_objects(client, ".rowlock-probe");
  if (!listed.ok()) return listed.error();
  return facts;
}

}  // namespace rowlock
