// By libcurl, GET alone. The token goes only to the address that was named: no redirect is
// followed.
#include "controller/adapters/http/vault_client.h"

#include "controller/adapters/http/authorities.h"
#include "controller/adapters/http/curl_trouble.h"
#include "controller/base/own_trouble.h"
#include "controller/crypto/secret_bytes.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace rowlock {
namespace {

constexpr std::string_view kUnix = "unix://";
constexpr long kOk = 200;
constexpr long kForbidden = 403;
constexpr long kNotFound = 404;

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

struct CloseEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

template <typename Option>
void set(CURL* easy, CURLoption option, Option value) {
  CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

// Refusing more than the bound ends the transfer.
std::size_t take(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& body = *static_cast<std::string*>(self);
  if (body.size() + size * count > VaultClient::kAnswerBytesMax) {
    return 0;
  }
  body.append(bytes, size * count);
  return size * count;
}

// Every part between slashes encoded for itself.
std::string encoded(std::string_view path) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  std::string text;
  for (const char each : path) {
    text += kPlain.find(each) != std::string_view::npos
                ? std::string(1, each)
                : fmt::format("%{:02X}", static_cast<unsigned char>(each));
  }
  return text;
}

bool fits_on_a_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

Error rejected(std::string message, std::string hint) {
  return {Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

}  // namespace

Result<VaultAddress> VaultAddress::of_environment() {
  VaultAddress address{environment("VAULT_ADDR"), environment("VAULT_TOKEN"),
                       environment("VAULT_NAMESPACE"), environment("VAULT_CACERT")};
  while (address.url.ends_with('/')) {
    address.url.pop_back();
  }
  const bool is_url = address.url.starts_with("http://") || address.url.starts_with("https://") ||
                      address.url.starts_with(kUnix);
  if (!is_url) {
    return rejected(address.url.empty() ? "VAULT_ADDR is not set"
                                        : "VAULT_ADDR is not an address: " + address.url,
                    "such as https://vault.example.org:8200, with a token in VAULT_TOKEN");
  }
  if (!fits_on_a_line(address.token) || !fits_on_a_line(address.name_space)) {
    return rejected("VAULT_TOKEN or VAULT_NAMESPACE has a line's end in it", "");
  }
  return address;
}

// A redirect is not followed: the token would go where it leads.
Result<VaultClient::Reply> VaultClient::get(const std::string& path) const {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, CloseEasy> handle(curl_easy_init());
  CHECK(handle != nullptr);
  CURL* easy = handle.get();
  const bool is_unix = address_.url.starts_with(kUnix);
  const std::string url = (is_unix ? "http://localhost" : address_.url) + path;
  std::string body;
  std::unique_ptr<curl_slist, FreeList> headers;
  const auto add = [&headers](const std::string& line) {
    headers.reset(curl_slist_append(headers.release(), line.c_str()));
  };
  add("X-Vault-Request: true");
  if (!address_.token.empty()) add("X-Vault-Token: " + address_.token);
  if (!address_.name_space.empty()) add("X-Vault-Namespace: " + address_.name_space);
  set(easy, CURLOPT_URL, url.c_str());
  set(easy, CURLOPT_HTTPHEADER, headers.get());
  set(easy, CURLOPT_HTTPGET, 1L);
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(kTimeoutMs));
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  set(easy, CURLOPT_PATH_AS_IS, 1L);
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_WRITEFUNCTION, take);
  set(easy, CURLOPT_WRITEDATA, &body);
  if (is_unix) {
    set(easy, CURLOPT_UNIX_SOCKET_PATH, address_.url.substr(kUnix.size()).c_str());
    set(easy, CURLOPT_PROXY, "");
  }
  trust_authorities(easy, address_.ca_file);
  CurlTrouble trouble;
  trouble.watch(easy);
  if (const CURLcode code = curl_easy_perform(easy); code != CURLE_OK) {
    wipe(body);
    if (const int own = trouble.own(easy, code); own != 0) {
      return own_trouble("ask " + address_.url, own);
    }
    return Error{Fault::transient, Cause::unreachable,
                 fmt::format("{} does not answer: {}", address_.url, curl_easy_strerror(code)),
                 "VAULT_ADDR says where Vault is, VAULT_CACERT whom to trust"};
  }
  Reply reply;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply.status);
  auto parsed = Json::parse(body);
  wipe(body);
  if (!parsed.ok() && reply.status == kOk) {  // Else it would look as if there were nothing.
    return rejected(fmt::format("{}{}: the answer cannot be read: {}", address_.url, path,
                                parsed.error().message),
                    "");
  }
  reply.body = parsed.ok() ? parsed.value() : Json();
  return reply;
}

Error VaultClient::refusal(const Reply& reply, const std::string& path) const {
  std::string sentences;
  for (const Json& sentence : reply.body["errors"].items()) {
    sentences += (sentences.empty() ? "" : "; ") + sentence.as_string();
  }
  const bool is_denied = reply.status == kForbidden;
  return {Fault::rejected, is_denied ? Cause::denied : Cause::other,
          fmt::format("{}{} answers HTTP {}{}{}", address_.url, path, reply.status,
                      sentences.empty() ? "" : ": ", sentences),
          is_denied ? "the token in VAULT_TOKEN must be allowed to list and to read" : ""};
}

Result<std::vector<std::string>> VaultClient::list(const std::string& mount,
                                                   const std::string& folder) const {
  const std::string path =
      fmt::format("/v1/{}/metadata/{}?list=true", encoded(mount), encoded(folder));
  const auto got = TRY(get(path));
  const Reply& reply = got;
  std::vector<std::string> names;
  // A folder without anything is a 404 that has nothing to say.
  if (reply.status == kNotFound && reply.body["errors"].is_array() &&
      reply.body["errors"].items().empty()) {
    return names;
  }
  if (reply.status != kOk) {
    return refusal(reply, path);
  }
  for (const Json& name : reply.body["data"]["keys"].items()) {
    names.push_back(name.as_string());
  }
  return names;
}

Result<std::optional<Json>> VaultClient::newest(const std::string& mount,
                                                const std::string& path) const {
  const std::string address = fmt::format("/v1/{}/data/{}", encoded(mount), encoded(path));
  const auto current = TRY(get(address));
  if (current.status == kOk) {
    return std::optional(current.body["data"]["data"]);
  }
  if (current.status != kNotFound) {
    return refusal(current, address);
  }
  // The current version is deleted; one before it may live.
  const std::string about = fmt::format("/v1/{}/metadata/{}", encoded(mount), encoded(path));
  const auto metadata = TRY(get(about));
  if (metadata.status == kNotFound) {
    return std::optional<Json>();
  }
  if (metadata.status != kOk) {
    return refusal(metadata, about);
  }
  std::vector<std::int64_t> numbers;
  for (const auto& [number, version] : metadata.body["data"]["versions"].members()) {
    if (!version["destroyed"].as_boolean() && version["deletion_time"].as_string().empty()) {
      numbers.push_back(std::strtoll(number.c_str(), nullptr, 10));
    }
  }
  const auto newest = std::max_element(numbers.begin(), numbers.end());
  if (newest == numbers.end()) {
    return std::optional<Json>();
  }
  const std::string versioned = fmt::format("{}?version={}", address, *newest);
  const auto read = TRY(get(versioned));
  if (read.status != kOk) {
    return refusal(read, versioned);
  }
  return std::optional(read.body["data"]["data"]);
}

}  // namespace rowlock
