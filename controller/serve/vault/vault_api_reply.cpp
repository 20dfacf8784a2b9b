// An answer may hold a secret, so it is put together in one string of the right size, which is
// wiped when it was sent.
#include "controller/serve/vault/vault_api_reply.h"

#include "controller/base/time.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr std::size_t kEnvelopeBytes = 256;  // Without what it holds.

std::string sentence_of(const Error& error) {
  return error.hint.empty() ? error.message : error.message + "; " + error.hint;
}

// Put together in a string of the right size from the start: what it holds may be a secret, and
// whatever a string grows out of is not wiped.
std::string envelope(const VaultReply& reply) {
  std::string body;
  body.reserve(kEnvelopeBytes + reply.data.size() + reply.auth.size() + reply.wrap_info.size());
  body.append(R"({"request_id":")").append(request_id());
  body.append(R"(","lease_id":"","renewable":false,"lease_duration":0,"data":)");
  body.append(reply.data).append(R"(,"wrap_info":)").append(reply.wrap_info);
  body.append(R"(,"warnings":null,"auth":)").append(reply.auth).append("}\n");
  return body;
}

}  // namespace

VaultReply reply_with(const Json& data) {
  VaultReply reply;
  reply.data = data.text();
  return reply;
}

VaultReply reply_with_auth(const Json& auth) {
  VaultReply reply;
  reply.auth = auth.text();
  reply.accessor = auth["accessor"].as_string();
  return reply;
}

VaultReply reply_with_whole(const Json& body) {
  VaultReply reply;
  reply.whole = body.text() + "\n";
  return reply;
}

VaultReply reply_without_body() {
  VaultReply reply;
  reply.status = 204;
  return reply;
}

VaultReply refused_with(int status, std::string sentence) {
  VaultReply reply;
  reply.status = status;
  reply.is_failure = true;
  reply.detail = sentence;
  reply.errors.push_back(std::move(sentence));
  return reply;
}

VaultReply exceeded(const Quotas::Excess& excess) {
  VaultReply reply = refused_with(429, excess.sentence);
  reply.retry_after_ms = excess.wait_ms;
  return reply;
}

VaultReply failed(const Error& error) {
  if (error.message == kSealedMessage) {
    VaultReply reply = refused_with(503, "Vault is sealed");
    reply.errors.push_back("Rowlock's secret store is sealed: " + error.hint);
    return reply;
  }
  if (error.cause == Cause::not_found) {
    VaultReply reply = refused_with(404, sentence_of(error));
    reply.errors.clear();  // Programs take words for a mistake of theirs.
    return reply;
  }
  switch (error.fault) {
    case Fault::rejected: return refused_with(400, sentence_of(error));
    case Fault::broken: return refused_with(500, sentence_of(error));
    case Fault::transient: return refused_with(503, sentence_of(error));
  }
  UNREACHABLE();
}

VaultReply denied(const Error& error) {
  if (error.fault != Fault::rejected) {
    return failed(error);  // It could not even be found out.
  }
  VaultReply reply = refused_with(403, "permission denied");
  reply.detail = sentence_of(error);
  reply.errors.push_back(reply.detail);
  reply.is_denied = true;
  return reply;
}

HttpResponse http_response(VaultReply reply) {
  HttpResponse response;
  response.status = reply.status;
  response.headers.emplace_back("Cache-Control", "no-store");
  if (reply.retry_after_ms > 0) {
    response.headers.emplace_back("Retry-After",
                                  std::to_string((reply.retry_after_ms + 999) / 1000));
  }
  if (reply.is_failure) {
    response.body = Json::object({{"errors", json_strings(reply.errors)}}).text() + "\n";
  } else if (!reply.whole.empty()) {
    response.body = std::move(reply.whole);
  } else if (reply.status != 204) {
    response.body = envelope(reply);
  }
  wipe(reply.data);
  wipe(reply.auth);
  return response;
}

std::string request_id() {
  std::string bytes = random_bytes(16);
  bytes[6] = static_cast<char>((static_cast<unsigned char>(bytes[6]) & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((static_cast<unsigned char>(bytes[8]) & 0x3f) | 0x80);
  const std::string hex = to_hex(bytes);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                     hex.substr(16, 4), hex.substr(20));
}

std::string vault_time(std::int64_t at_ms) {
  std::string text = rfc3339(at_ms);
  text.insert(text.size() - 1, "000000");
  return text;
}

std::string vault_time(const std::optional<std::int64_t>& at_ms) {
  return at_ms.has_value() ? vault_time(*at_ms) : "";
}

Json json_strings(const std::vector<std::string>& values) {
  std::vector<Json> items;
  for (const std::string& value : values) {
    items.push_back(Json::string(value));
  }
  return Json::array(std::move(items));
}

}  // namespace rowlock
