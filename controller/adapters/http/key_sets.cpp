// By libcurl, or from a file. What is no key set is refused here, before it can take the place of
// one that is.
#include "controller/adapters/http/key_sets.h"

#include "controller/adapters/http/curl_trouble.h"
#include "controller/base/own_trouble.h"
#include "controller/crypto/jwt.h"

#include <curl/curl.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <memory>

namespace rowlock {

namespace {

constexpr long kDeadlineMs = 10'000;

Error failed(const std::string& source, const std::string& what) {
  return {Fault::transient, Cause::other, "read " + source + ": " + what,
          "correct trust.keys, or wait until it is there"};
}

std::size_t take(char* bytes, std::size_t size, std::size_t count, void* into) {
  auto& text = *static_cast<std::string*>(into);
  if (text.size() + size * count > KeySets::kBytesMax) {
    return 0;
  }
  text.append(bytes, size * count);
  return size * count;
}

// Redirects are not followed: whoever is trusted is named in the row.
Result<std::string> fetched(const std::string& url) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  std::string text;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, kDeadlineMs);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &take);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &text);
  CurlTrouble trouble;
  trouble.watch(curl.get());
  const CURLcode ended = curl_easy_perform(curl.get());
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (const int own = ended == CURLE_OK ? 0 : trouble.own(curl.get(), ended); own != 0) {
    return own_trouble("read " + url, own);
  }
  if (ended == CURLE_WRITE_ERROR) {
    return failed(url, "it is over 1 MB, which no key set is");
  }
  if (ended != CURLE_OK) {
    return failed(url, curl_easy_strerror(ended));
  }
  if (status != 200) {
    return failed(url, "HTTP " + std::to_string(status));
  }
  return text;
}

Result<std::string> file_at(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file && is_own_trouble(errno)) {
    return own_trouble("read " + path, errno);
  }
  if (!file) {
    return failed(path, "the file cannot be opened");
  }
  std::string text(KeySets::kBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text.size() > KeySets::kBytesMax
             ? Result<std::string>(failed(path, "it is over 1 MB, which no key set is"))
             : text;
}

}  // namespace

Result<std::string> KeySetReader::read(const std::string& source) {
  auto text = source.starts_with('/') ? file_at(source) : fetched(source);
  if (!text.ok()) {
    return text;
  }
  if (auto keys = JwtKeys::parse(text.value()); !keys.ok()) {
    Error error = failed(source, keys.error().message);
    error.fault = Fault::rejected;
    return error;
  }
  return text;
}

}  // namespace rowlock
