// How a request to S3 is signed: AWS Signature Version 4, over everything that matters in it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

using TextPairs = std::vector<std::pair<std::string, std::string>>;

struct SignedRequest {
  std::string method;
  std::string path;    // From the slash on, percent-encoded.
  TextPairs query;     // Neither encoded nor sorted.
  TextPairs headers;   // All that are signed, `host` and `x-amz-date` among them.
  std::string sha256;  // Of the body, in hex.
};

struct SigningScope {
  std::string key_id;
  std::string_view secret;  // Outlives the call.
  std::string region;
  std::string service = "s3";
};

// "20130524T000000Z", as the header x-amz-date has it.
std::string amz_date(std::int64_t at_ms);

// As it is sent and as it is signed: sorted and encoded, `name=` where there is no value.
std::string canonical_query(const TextPairs& query);

std::string canonical_request(const SignedRequest& request);

// The value of the header Authorization.
std::string authorization(const SignedRequest& request, const SigningScope& scope,
                          const std::string& date);

}  // namespace rowlock
