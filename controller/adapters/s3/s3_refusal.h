// What an S3 service refuses, as errors that say who can mend it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
#pragma once

#include "controller/adapters/s3/s3_http.h"
#include "controller/base/result.h"

#include <cstdint>
#include <string>

namespace rowlock {

struct S3Refusal {
  int status = 0;
  std::string code;              // "NoSuchBucket"; empty: the answer had none.
  std::string message;           // The service's own words, on one line.
  std::string region;            // Where the bucket is, if it says so.
  std::int64_t store_at_ms = 0;  // Its clock; 0: unknown.
  std::int64_t our_at_ms = 0;
};

S3Refusal read_refusal(const HttpAnswer& answer, std::int64_t our_at_ms);

// Whether it may go by itself, so that the same again is worth a try.
bool may_pass(const S3Refusal& refusal);

// `attempt` says what was to be done, and where.
Error refused(const std::string& attempt, const S3Refusal& refusal);

}  // namespace rowlock
