// Step by step as the specification has it.
#include "controller/adapters/s3/s3_signer.h"

#include "controller/adapters/digest.h"
#include "controller/base/percent.h"
#include "controller/base/time.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/hkdf.h"

#include <algorithm>
#include <cctype>
#include <map>

namespace rowlock {

namespace {

constexpr char kAlgorithm[] = "AWS4-HMAC-SHA256";
constexpr std::size_t kDayLength = 8;  // Of "20130524T000000Z".

std::string lower(const std::string& text) {
  std::string result = text;
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

// Blanks around it go, and those inside become one.
std::string trimmed(const std::string& value) {
  std::string result;
  for (const char c : value) {
    const bool is_blank = c == ' ' || c == '\t';
    if (!is_blank) {
      result += c;
    } else if (!result.empty() && result.back() != ' ') {
      result += ' ';
    }
  }
  if (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

// By name; several of one name as one, in their order.
std::map<std::string, std::string> canonical_headers(const TextPairs& headers) {
  std::map<std::string, std::string> sorted;
  for (const auto& [name, value] : headers) {
    const auto [at, is_new] = sorted.emplace(lower(name), trimmed(value));
    if (!is_new) at->second += "," + trimmed(value);
  }
  return sorted;
}

std::string names_of(const TextPairs& headers) {
  std::string names;
  for (const auto& [name, value] : canonical_headers(headers)) {
    names += (names.empty() ? "" : ";") + name;
  }
  return names;
}

std::string signature(const std::string& text, const SigningScope& scope, const std::string& day) {
  SecretBytes start(std::string_view("AWS4").size() + scope.secret.size());
  std::copy_n("AWS4", 4, start.data());
  std::copy(scope.secret.begin(), scope.secret.end(), start.data() + 4);
  SecretBytes key = hmac_sha256(start.view(), day);
  for (const std::string& each : {scope.region, scope.service, std::string("aws4_request")}) {
    key = hmac_sha256(key.view(), each);
  }
  return to_hex(hmac_sha256(key.view(), text).view());
}

}  // namespace

std::string amz_date(std::int64_t at_ms) {
  std::string date = rfc3339(at_ms).substr(0, 19);
  std::erase_if(date, [](char c) { return c == '-' || c == ':'; });
  return date + "Z";
}

std::string canonical_query(const TextPairs& query) {
  TextPairs encoded;
  for (const auto& [name, value] : query) {
    encoded.emplace_back(percent_encoded(name), percent_encoded(value));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded) text += (text.empty() ? "" : "&") + name + "=" + value;
  return text;
}

std::string canonical_request(const SignedRequest& request) {
  std::string text =
      request.method + "\n" + request.path + "\n" + canonical_query(request.query) + "\n";
  for (const auto& [name, value] : canonical_headers(request.headers)) {
    text += name + ":" + value + "\n";
  }
  return text + "\n" + names_of(request.headers) + "\n" + request.sha256;
}

std::string authorization(const SignedRequest& request, const SigningScope& scope,
                          const std::string& date) {
  const std::string day = date.substr(0, kDayLength);
  const std::string where = day + "/" + scope.region + "/" + scope.service + "/aws4_request";
  const std::string text = std::string(kAlgorithm) + "\n" + date + "\n" + where + "\n" +
                           sha256_hex(canonical_request(request));
  return std::string(kAlgorithm) + " Credential=" + scope.key_id + "/" + where +
         ", SignedHeaders=" + names_of(request.headers) +
         ", Signature=" + signature(text, scope, day);
}

}  // namespace rowlock
