// Lists, which come in pages: one that says there is more, and not where, is no list at all.
#include "controller/adapters/object_key.h"
#include "controller/adapters/s3/s3_objects.h"
#include "controller/adapters/s3/s3_xml.h"
#include "controller/base/percent.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <functional>
#include <utility>

namespace rowlock {

namespace {

constexpr int kPagesMax = 1000;  // Of up to 1000 each.
constexpr std::int64_t kMsPerS = 1000;

// What the next page is asked for with; empty: there is none.
using PageTaker = std::function<Result<TextPairs>(const XmlElement& page)>;

Error odd_list(const S3Client& client, const S3Call& call, const std::string& why) {
  return client.error_of(call.what, {Fault::broken, Cause::other, why, ""});
}

// One page after the other to `take`.
Result<> each_page(S3Client& client, S3Call call, const PageTaker& take) {
  const TextPairs asked = call.query;
  for (int page = 0; page < kPagesMax; ++page) {
    const Result<HttpAnswer> answer = client.order(call);
    if (!answer.ok()) return answer.error();
    const Result<XmlElement> read = read_xml(answer.value().body);
    if (!read.ok()) return odd_list(client, call, read.error().message);
    const Result<TextPairs> next = take(read.value());
    if (!next.ok()) return next.error();
    const bool is_cut = read.value().value("IsTruncated") == "true";
    if (!is_cut) return Done{};
    if (next.value().empty()) return odd_list(client, call, "the list goes on, and not where");
    call.query = asked;
    call.query.insert(call.query.end(), next.value().begin(), next.value().end());
  }
  return odd_list(client, call, "there is more than a list may hold");
}

S3Call list_of(const std::string& what, TextPairs query, const std::string& root) {
  S3Call call;
  call.what = what;
  call.method = "GET";
  call.query = std::move(query);
  call.expected_root = root;
  return call;
}

// The key as it is below the prefix; empty: it is not.
std::string key_in(const S3Client& client, const XmlElement& page, const XmlElement& entry) {
  const std::string given = entry.value("Key");
  const std::string key =
      page.value("EncodingType") == "url" ? percent_decoded_bytes(given) : given;
  const std::string& prefix = client.place().prefix;
  return key.starts_with(prefix) ? key.substr(prefix.size()) : "";
}

// Where the next page begins, as it is to be asked for.
std::string next_key(const XmlElement& page) {
  const std::string given = page.value("NextKeyMarker");
  return page.value("EncodingType") == "url" ? percent_decoded_bytes(given) : given;
}

// What was empty is left out; nothing when all of them are.
TextPairs markers(const TextPairs& pairs) {
  TextPairs given;
  for (const auto& pair : pairs) {
    if (!pair.second.empty()) given.push_back(pair);
  }
  return given;
}

}  // namespace

std::int64_t xml_date_ms(const std::string& text) {
  std::tm parts{};
  int read_to = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &read_to) != 6) {
    return 0;
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  int ms = 0;
  if (text.substr(static_cast<std::size_t>(read_to)).starts_with('.')) {
    (void)std::sscanf(text.c_str() + read_to, ".%3d", &ms);
  }
  return std::int64_t{::timegm(&parts)} * kMsPerS + ms;
}

Result<std::vector<StoredObject>> list_objects(S3Client& client, const std::string& prefix,
                                               int page_keys_max) {
  S3Call call = list_of(
      "list " + (prefix.empty() ? "objects" : prefix + "*"),
      {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", client.place().prefix + prefix}},
      "ListBucketResult");
  if (page_keys_max > 0) call.query.emplace_back("max-keys", std::to_string(page_keys_max));
  std::vector<StoredObject> objects;
  const Result<> read = each_page(client, call, [&](const XmlElement& page) -> Result<TextPairs> {
    for (const XmlElement& entry : page.elements) {
      if (entry.name != "Contents") continue;
      const std::string key = key_in(client, page, entry);
      if (!key.starts_with(prefix) || !is_key(key)) continue;
      StoredObject object{key, -1, xml_date_ms(entry.value("LastModified"))};
      const std::string size = entry.value("Size");
      std::from_chars(size.data(), size.data() + size.size(), object.size_bytes);
      if (object.size_bytes < 0)
        return odd_list(client, call, "it does not say the size of " + key);
      objects.push_back(object);
    }
    return markers({{"continuation-token", page.value("NextContinuationToken")}});
  });
  if (!read.ok()) return read.error();
  std::sort(objects.begin(), objects.end(),
            [](const StoredObject& a, const StoredObject& b) { return a.key < b.key; });
  return objects;
}

Result<std::optional<bool>> keeps_versions(S3Client& client, bool cleans_up) {
  S3Call call = list_of("ask for the versioning", {{"versioning", ""}}, "VersioningConfiguration");
  call.cleans_up = cleans_up;
  const Result<S3Answer> answer = client.send(call);
  if (!answer.ok()) return answer.error();
  const S3Refusal& refusal = answer.value().refusal;
  if (!answer.value().is_refused) {
    const Result<XmlElement> read = read_xml(answer.value().http.body);
    return std::optional<bool>(read.ok() && !read.value().value("Status").empty());
  }
  // A store that has never heard of versions keeps none.
  if (refusal.status == 501 || refusal.status == 405) return std::optional<bool>(false);
  if (refusal.code == "AccessDenied") return std::optional<bool>();
  return client.error_of(call, refusal);
}

Result<std::vector<std::string>> list_versions(S3Client& client, const std::string& key,
                                               bool cleans_up) {
  S3Call call =
      list_of("list the versions of " + key,
              {{"versions", ""}, {"encoding-type", "url"}, {"prefix", client.place().prefix + key}},
              "ListVersionsResult");
  call.cleans_up = cleans_up;
  std::vector<std::string> versions;
  const Result<> read = each_page(client, call, [&](const XmlElement& page) -> Result<TextPairs> {
    for (const XmlElement& entry : page.elements) {
      const bool is_version = entry.name == "Version" || entry.name == "DeleteMarker";
      if (!is_version || key_in(client, page, entry) != key) continue;
      if (entry.value("VersionId").empty()) {
        return odd_list(client, call, "it does not say which version it is");
      }
      versions.push_back(entry.value("VersionId"));
    }
    return markers(
        {{"key-marker", next_key(page)}, {"version-id-marker", page.value("NextVersionIdMarker")}});
  });
  if (!read.ok()) return read.error();
  return versions;
}

Result<std::vector<PendingUpload>> list_uploads(S3Client& client, const std::string& prefix,
                                                bool cleans_up) {
  S3Call call = list_of(
      "list the uploads of " + (prefix.empty() ? "any" : prefix + "*"),
      {{"uploads", ""}, {"encoding-type", "url"}, {"prefix", client.place().prefix + prefix}},
      "ListMultipartUploadsResult");
  call.cleans_up = cleans_up;
  std::vector<PendingUpload> uploads;
  const Result<> read = each_page(client, call, [&](const XmlElement& page) -> Result<TextPairs> {
    for (const XmlElement& entry : page.elements) {
      if (entry.name != "Upload") continue;
      const PendingUpload upload{key_in(client, page, entry), entry.value("UploadId"),
                                 xml_date_ms(entry.value("Initiated"))};
      if (!upload.key.starts_with(prefix) || upload.key.empty()) continue;
      uploads.push_back(upload);
    }
    return markers(
        {{"key-marker", next_key(page)}, {"upload-id-marker", page.value("NextUploadIdMarker")}});
  });
  if (!read.ok()) return read.error();
  return uploads;
}

}  // namespace rowlock
