// The row's columns, taken apart and put together anew.
#include "controller/adapters/s3/s3_address.h"

#include "controller/adapters/object_key.h"
#include "controller/base/percent.h"

#include <algorithm>
#include <cctype>

namespace rowlock {

namespace {

constexpr std::string_view kScheme = "s3://";
constexpr std::size_t kBucketBytesMin = 3;
constexpr std::size_t kBucketBytesMax = 63;

bool all_of(const std::string& text, std::string_view others) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c & 0x80) == 0 && (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                               others.find(c) != std::string_view::npos);
  });
}

Error rejected(const std::string& what, const std::string& hint) {
  return {Fault::rejected, Cause::malformed, what, hint};
}

std::string without_end(std::string text, std::string_view end) {
  if (text.ends_with(end)) text.resize(text.size() - end.size());
  return text;
}

// Fills in the scheme and the host.
Result<> read_endpoint(const std::string& endpoint, S3Place& place) {
  const std::string given =
      endpoint.empty() ? "https://s3." + place.region + ".amazonaws.com" : endpoint;
  const std::size_t colon = given.find("://");
  place.scheme = given.substr(0, colon);
  if (colon == std::string::npos || (place.scheme != "http" && place.scheme != "https")) {
    return rejected("the endpoint '" + endpoint + "' of the object store begins with no scheme",
                    "write object_store.endpoint as https://HOST or http://HOST:PORT");
  }
  place.host = without_end(without_end(given.substr(colon + 3), "/"),
                           place.scheme == "https" ? ":443" : ":80");
  if (!all_of(place.host, ".-_:[]")) {
    return rejected("the endpoint '" + endpoint + "' of the object store is no host",
                    "write object_store.endpoint as https://HOST or http://HOST:PORT");
  }
  return Done{};
}

Result<> check_credentials(const StoreAddress& address) {
  const bool is_plain =
      std::all_of(address.access_key_id.begin(), address.access_key_id.end(),
                  [](char c) { return c > ' ' && c < 0x7F && c != ',' && c != '/'; });
  if (!is_plain) {
    return rejected("the access key id of the object store has letters that none has",
                    "correct the secret: no blanks, no line's end");
  }
  const bool has_secret =
      address.secret_access_key != nullptr && !address.secret_access_key->empty();
  if (!address.access_key_id.empty() && !has_secret) {
    return rejected("the object store has an access key id, yet no secret access key",
                    "put both into the secret");
  }
  return Done{};
}

}  // namespace

std::string S3Place::path(const std::string& key) const {
  const std::string full = key.empty() ? "" : prefix + key;
  const std::string above = is_path_style ? "/" + bucket + (key.empty() ? "" : "/") : "/";
  return above + percent_encoded(full, "/");
}

Result<S3Place> read_s3_place(const StoreAddress& address) {
  S3Place place;
  place.region = address.region;
  place.is_path_style = address.is_path_style;
  place.ca_file = address.ca_file;
  if (!address.url.starts_with(kScheme)) {
    return rejected("'" + address.url + "' is no URL of a bucket",
                    "write object_store.url as s3://BUCKET or s3://BUCKET/PREFIX");
  }
  const std::string rest = without_end(address.url.substr(kScheme.size()), "/");
  place.bucket = rest.substr(0, rest.find('/'));
  if (!all_of(place.bucket, ".-_") || place.bucket.size() < kBucketBytesMin ||
      place.bucket.size() > kBucketBytesMax) {
    return rejected("'" + place.bucket + "' in " + address.url + " is no bucket's name",
                    "write object_store.url as s3://BUCKET or s3://BUCKET/PREFIX");
  }
  if (rest.size() > place.bucket.size()) {
    const std::string prefix = rest.substr(place.bucket.size() + 1);
    if (Result<> checked = check_key(prefix); !checked.ok()) return checked.error();
    place.prefix = prefix + "/";
  }
  if (!all_of(place.region, "-")) {
    return rejected("'" + place.region + "' is no region of an object store",
                    "correct object_store.region, such as us-east-1");
  }
  if (Result<> read = read_endpoint(address.endpoint, place); !read.ok()) return read.error();
  if (!place.is_path_style) place.host = place.bucket + "." + place.host;
  if (Result<> checked = check_credentials(address); !checked.ok()) return checked.error();
  return place;
}

}  // namespace rowlock
