// What the stand-in keeps, and what it answers when all is well.
#include "controller/adapters/digest.h"
#include "controller/base/percent.h"
#include "controller/base/time.h"
#include "controller/crypto/encoding.h"
#include "tests/adapters/s3/stand_in_s3.h"

#include <algorithm>
#include <cstdlib>

namespace rowlock {

namespace {

std::string error_xml(const std::string& code) {
  return "<Error><Code>" + code + "</Code><Message>Said by the stand-in.</Message></Error>";
}

std::string value_of(const StandInS3::Asked& asked, const std::string& name) {
  const auto found = asked.query.find(name);
  return found == asked.query.end() ? "" : found->second;
}

bool has_condition(const StandInS3::Asked& asked) {
  return asked.headers.contains("if-none-match");
}

}  // namespace

StandInS3::Answer StandInS3::answer_to(const Asked& asked) {
  const std::string act = asked.act();
  if (act == "put") return put(asked);
  if (act == "create") return create(asked);
  if (act == "part") return part(asked);
  if (act == "complete") return complete(asked);
  if (act == "abort") {
    const bool was_there = uploads_.erase(value_of(asked, "uploadId")) > 0;
    return was_there ? Answer{204, "", {}, -1} : Answer{404, error_xml("NoSuchUpload"), {}, -1};
  }
  if (act == "delete") return remove(asked);
  if (act == "list") return list(asked);
  if (act == "versions") return list_versions(asked);
  if (act == "uploads") return list_uploads(asked);
  if (act == "versioning") {
    const std::string status = is_versioned ? "<Status>Enabled</Status>" : "";
    return {200, "<VersioningConfiguration>" + status + "</VersioningConfiguration>", {}, -1};
  }
  return get(asked);
}

const StandInS3::Version* StandInS3::seen(const std::string& key) const {
  const auto found = versions_.find(key);
  if (found == versions_.end() || found->second.empty() || found->second.back().hides) {
    return nullptr;
  }
  return &found->second.back();
}

StandInS3::Answer StandInS3::store(const std::string& key, std::string bytes,
                                   const std::string& etag) {
  if (changes_bytes && !bytes.empty()) bytes[bytes.size() / 2] ^= 1;
  if (loses_the_end && !bytes.empty()) bytes.pop_back();
  const std::string id = "v" + std::to_string(++next_id_);
  const std::string given = has_odd_etags ? "odd-" + id : etag;
  std::vector<Version>& kept = versions_[key];
  if (!is_versioned) kept.clear();
  kept.push_back({id, std::move(bytes), given, false});
  Answer answer;
  answer.headers = {{"ETag", "\"" + given + "\""}};
  if (is_versioned) answer.headers.emplace_back("x-amz-version-id", id);
  return answer;
}

StandInS3::Answer StandInS3::put(const Asked& asked) {
  if (has_condition(asked) && heeds_conditions && seen(asked.key) != nullptr) {
    return {412, error_xml("PreconditionFailed"), {}, -1};
  }
  return store(asked.key, asked.body, to_hex(md5_of(asked.body)));
}

StandInS3::Answer StandInS3::create(const Asked& asked) {
  // Unlike those of any other service.
  const std::string number = std::to_string(port_) + "-" + std::to_string(++next_id_);
  const std::string id = "upload&" + number;
  uploads_[id] = {asked.key, {}, now_ms()};
  return {200,
          "<?xml version=\"1.0\"?><InitiateMultipartUploadResult xmlns=\"http://s3/\"><UploadId>"
          "upload&amp;" +
              number + "</UploadId></InitiateMultipartUploadResult>",
          {},
          -1};
}

StandInS3::Answer StandInS3::part(const Asked& asked) {
  const auto upload = uploads_.find(value_of(asked, "uploadId"));
  if (upload == uploads_.end()) return {404, error_xml("NoSuchUpload"), {}, -1};
  upload->second.parts[std::atoi(value_of(asked, "partNumber").c_str())] = asked.body;
  return {200, "", {{"ETag", "\"" + to_hex(md5_of(asked.body)) + "\""}}, -1};
}

StandInS3::Answer StandInS3::complete(const Asked& asked) {
  const auto upload = uploads_.find(value_of(asked, "uploadId"));
  if (upload == uploads_.end()) return {404, error_xml("NoSuchUpload"), {}, -1};
  if (has_condition(asked) && heeds_conditions && seen(asked.key) != nullptr) {
    return {412, error_xml("PreconditionFailed"), {}, -1};
  }
  std::string bytes;
  std::string digests;
  for (const auto& [number, piece] : upload->second.parts) {
    bytes += piece;
    digests += md5_of(piece);
  }
  const std::string etag =
      to_hex(md5_of(digests)) + "-" + std::to_string(upload->second.parts.size());
  uploads_.erase(upload);
  Answer answer = store(asked.key, bytes, etag);
  answer.body =
      "<CompleteMultipartUploadResult><ETag>" + etag + "</ETag></CompleteMultipartUploadResult>";
  return answer;
}

StandInS3::Answer StandInS3::get(const Asked& asked) {
  const Version* const version = seen(asked.key);
  if (version == nullptr) return {404, error_xml("NoSuchKey"), {}, -1};
  Answer answer;
  answer.headers = {{"ETag", "\"" + version->etag + "\""},
                    {"Last-Modified", http_date(std::time(nullptr))}};
  if (is_versioned) answer.headers.emplace_back("x-amz-version-id", version->id);
  answer.body = version->bytes;
  const auto range = asked.headers.find("range");
  if (range == asked.headers.end() || ignores_ranges) return answer;
  const std::string text = range->second.substr(std::string("bytes=").size());
  const std::size_t first = std::strtoul(text.c_str(), nullptr, 10);
  const std::size_t last = std::strtoul(text.c_str() + text.find('-') + 1, nullptr, 10);
  const std::size_t size = version->bytes.size();
  if (first >= size) return {416, error_xml("InvalidRange"), {}, -1};
  answer.status = 206;
  answer.body = version->bytes.substr(first, last - first + 1);
  answer.headers.emplace_back("Content-Range", "bytes " + std::to_string(first) + "-" +
                                                   std::to_string(first + answer.body.size() - 1) +
                                                   "/" + std::to_string(size));
  return answer;
}

StandInS3::Answer StandInS3::remove(const Asked& asked) {
  const auto found = versions_.find(asked.key);
  if (found == versions_.end()) return {204, "", {}, -1};
  const std::string id = value_of(asked, "versionId");
  if (!id.empty()) {
    std::erase_if(found->second, [&](const Version& each) { return each.id == id; });
  } else if (is_versioned) {
    found->second.push_back({"v" + std::to_string(++next_id_), "", "", true});
  } else {
    found->second.clear();
  }
  if (found->second.empty()) versions_.erase(found);
  return {204, "", {}, -1};
}

StandInS3::Answer StandInS3::list(const Asked& asked) const {
  const std::string prefix = value_of(asked, "prefix");
  const std::string after = value_of(asked, "continuation-token");
  std::string body = "<ListBucketResult><EncodingType>url</EncodingType>";
  int count = 0;
  std::string last;
  bool is_cut = false;
  for (const auto& [key, kept] : versions_) {
    const Version* const version = seen(key);
    if (version == nullptr || !key.starts_with(prefix) || key <= after) continue;
    is_cut = count == page_keys_max;
    if (is_cut) break;
    ++count;
    last = key;
    body += "<Contents><Key>" + percent_encoded(key) + "</Key><Size>" +
            std::to_string(version->bytes.size()) + "</Size><LastModified>" +
            rfc3339(system_now_ms()) + "</LastModified></Contents>";
  }
  body += std::string("<IsTruncated>") + (is_cut ? "true" : "false") + "</IsTruncated>";
  if (is_cut && !forgets_where) {
    body += "<NextContinuationToken>" + last + "</NextContinuationToken>";
  }
  return {200, body + "</ListBucketResult>", {}, -1};
}

StandInS3::Answer StandInS3::list_versions(const Asked& asked) const {
  std::string body = "<ListVersionsResult><IsTruncated>false</IsTruncated>";
  for (const auto& [key, kept] : versions_) {
    if (!key.starts_with(value_of(asked, "prefix"))) continue;
    for (const Version& each : kept) {
      const std::string name = each.hides ? "DeleteMarker" : "Version";
      body += "<" + name + "><Key>" + key + "</Key><VersionId>" + each.id + "</VersionId></" +
              name + ">";
    }
  }
  return {200, body + "</ListVersionsResult>", {}, -1};
}

StandInS3::Answer StandInS3::list_uploads(const Asked& asked) const {
  std::string body = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>";
  for (const auto& [id, upload] : uploads_) {
    if (!upload.key.starts_with(value_of(asked, "prefix"))) continue;
    std::string escaped = id;
    if (const std::size_t at = escaped.find('&'); at != std::string::npos) {
      escaped.insert(at + 1, "amp;");
    }
    body += "<Upload><Key>" + upload.key + "</Key><UploadId>" + escaped + "</UploadId><Initiated>" +
            rfc3339(upload.begun_at_ms) + "</Initiated></Upload>";
  }
  return {200, body + "</ListMultipartUploadsResult>", {}, -1};
}

}  // namespace rowlock
