// Signatures, against those that AWS has published.
#include "controller/adapters/s3/s3_signer.h"

#include "controller/adapters/digest.h"

#include <criterion/criterion.h>

#include <string>
#include <vector>

using namespace rowlock;

namespace {

constexpr char kEmpty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string signature_in(const std::string& header) {
  return header.substr(header.rfind("Signature=") + std::string("Signature=").size());
}

// The examples of S3's documentation, "Signature Calculations for the Authorization Header".
std::string example(const std::string& method, const std::string& path, const TextPairs& query,
                    TextPairs headers, const std::string& body = "") {
  SignedRequest request{method, path, query, std::move(headers), sha256_hex(body)};
  request.headers.insert(request.headers.end(), {{"Host", "examplebucket.s3.amazonaws.com"},
                                                 {"x-amz-content-sha256", request.sha256},
                                                 {"x-amz-date", "20130524T000000Z"}});
  return authorization(
      request, {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"},
      "20130524T000000Z");
}

// The requests of aws-sig-v4-test-suite, which are of no service in particular.
std::string suite_signature(const std::string& method, const std::string& path,
                            const TextPairs& query, TextPairs headers,
                            const std::string& body = "") {
  SignedRequest request{method, path, query, std::move(headers), sha256_hex(body)};
  request.headers.insert(request.headers.end(),
                         {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}});
  return signature_in(authorization(
      request, {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service"},
      "20150830T123600Z"));
}

}  // namespace

Test(s3_signer, the_examples_of_the_documentation_of_s3) {
  const std::string get = example("GET", "/test.txt", {}, {{"Range", "bytes=0-9"}});
  cr_expect(get ==
            "AWS4-HMAC-SHA256 "
            "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  cr_expect(signature_in(example("PUT", "/test%24file.text", {},
                                 {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                                  {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                                 "Welcome to Amazon S3.")) ==
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  cr_expect(signature_in(example("GET", "/", {{"lifecycle", ""}}, {})) ==
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  cr_expect(signature_in(example("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {})) ==
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

Test(s3_signer, the_requests_of_the_test_suite_of_aws) {
  // get-vanilla
  cr_expect(suite_signature("GET", "/", {}, {}) ==
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  // get-vanilla-query-order-key-case
  cr_expect(suite_signature("GET", "/", {{"Param2", "value2"}, {"Param1", "value1"}}, {}) ==
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  // get-vanilla-empty-query-key
  cr_expect(suite_signature("GET", "/", {{"Param1", "value1"}}, {}) ==
            "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb");
  // get-header-key-duplicate
  cr_expect(suite_signature(
                "GET", "/", {},
                {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}}) ==
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
  // get-header-value-trim
  cr_expect(suite_signature("GET", "/", {},
                            {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}) ==
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
  // get-space
  cr_expect(suite_signature("GET", "/example%20space/", {}, {}) ==
            "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741");
  // post-x-www-form-urlencoded
  cr_expect(suite_signature("POST", "/", {},
                            {{"Content-Type", "application/x-www-form-urlencoded"}},
                            "Param1=value1") ==
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

Test(s3_signer, a_query_is_encoded_first_and_sorted_then) {
  cr_expect(canonical_query({{"uploads", ""}}) == "uploads=");
  cr_expect(canonical_query({{"b", "x y"}, {"a", "1+/="}, {"a", ""}, {"A", "~"}}) ==
            "A=~&a=&a=1%2B%2F%3D&b=x%20y");
}

Test(s3_signer, the_canonical_request_is_as_published) {
  const SignedRequest request{"GET",
                              "/test.txt",
                              {},
                              {{"x-amz-date", "20130524T000000Z"},
                               {"Range", "bytes=0-9"},
                               {"x-amz-content-sha256", kEmpty},
                               {"Host", "examplebucket.s3.amazonaws.com"}},
                              kEmpty};

  cr_expect(sha256_hex(canonical_request(request)) ==
            "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972");
}

Test(s3_signer, a_date_is_in_utc_without_signs) {
  cr_expect(amz_date(0) == "19700101T000000Z");
  cr_expect(amz_date(1'369'353'600'000) == "20130524T000000Z");
  cr_expect(amz_date(1'369'353'600'999) == "20130524T000000Z");
}
