// By libcurl. One Exchange is one request with all that libcurl calls back into; what went wrong is
// told by where it stopped, since a request that was sent may have been done.
#include "controller/adapters/s3/s3_http.h"

#include "controller/adapters/http/authorities.h"
#include "controller/adapters/http/curl_trouble.h"
#include "controller/base/own_trouble.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>

namespace rowlock {

namespace {

constexpr std::size_t kHeaderBytesMax = 64 * 1024;
constexpr long kSendBufferBytes = 512 * 1024;

void set_up_curl() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(done == CURLE_OK);
}

std::string seconds(std::int64_t ms) {
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

std::string_view without_blanks(std::string_view text) {
  const auto is_blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

// One on its way, and what libcurl's callbacks write into.
struct HttpClient::Exchange {
  Exchange(CURL* handle, const HttpCall& made, const std::atomic<bool>& end)
      : easy(handle), call(made), ending(end) {}
  ~Exchange() { curl_slist_free_all(headers); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  static std::size_t on_body(char* bytes, std::size_t, std::size_t count, void* self) {
    return static_cast<Exchange*>(self)->take_body({bytes, count}) ? count : 0;
  }
  static std::size_t on_header(char* bytes, std::size_t, std::size_t count, void* self) {
    return static_cast<Exchange*>(self)->take_header({bytes, count}) ? count : 0;
  }
  static std::size_t on_send(char* bytes, std::size_t, std::size_t most, void* self) {
    return static_cast<Exchange*>(self)->give(bytes, most);
  }
  static int on_seek(void* self, curl_off_t offset, int origin) {
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    static_cast<Exchange*>(self)->given = static_cast<std::size_t>(offset);
    return CURL_SEEKFUNC_OK;
  }
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Exchange*>(self)->is_given_up() ? 1 : 0;
  }

  bool is_given_up() const {
    return (ending && !call.goes_on_at_the_end) || (call.stop != nullptr && *call.stop);
  }

  bool take_body(std::string_view bytes) {
    is_too_large = answer.body.size() + bytes.size() > call.answer_bytes_max;
    if (!is_too_large) answer.body += bytes;
    return !is_too_large;
  }

  bool take_header(std::string_view line) {
    header_bytes += line.size();
    is_too_large = header_bytes > kHeaderBytesMax;
    if (is_too_large) return false;
    if (line.starts_with("HTTP/")) answer.headers.clear();  // Of an answer before, such as 100.
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return true;
    std::string name(line.substr(0, colon));
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    answer.headers[name] = without_blanks(line.substr(colon + 1));
    return true;
  }

  std::size_t give(char* bytes, std::size_t most) {
    std::size_t count = std::min(most, call.body.size() - given);
    if (call.pace != nullptr && count > 0) {
      if (!sleep_until_over(call.pace->wait_us(steady_now_us()),
                            [this] { return is_given_up(); })) {
        return CURL_READFUNC_ABORT;
      }
      count = call.pace->piece(count);
      call.pace->spend(static_cast<std::int64_t>(count), steady_now_us());
    }
    std::memcpy(bytes, call.body.data() + given, count);
    given += count;
    return count;
  }

  void prepare();
  void prepare_body();
  Error failure(CURLcode code) const;

  CURL* easy;
  CurlTrouble trouble;
  const HttpCall& call;
  const std::atomic<bool>& ending;
  HttpAnswer answer;
  std::size_t given = 0;
  std::size_t header_bytes = 0;
  bool is_too_large = false;
  curl_slist* headers = nullptr;
  char words[CURL_ERROR_SIZE] = "";
};

void HttpClient::Exchange::prepare_body() {
  if (call.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (call.method == "PUT" || call.method == "POST") {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call.method.c_str());
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Exchange::on_send);
    curl_easy_setopt(easy, CURLOPT_READDATA, this);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, &Exchange::on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, this);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kSendBufferBytes);
  } else if (call.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call.method.c_str());
  }
}

void HttpClient::Exchange::prepare() {
  curl_easy_reset(easy);  // Keeps the open connection, forgets the rest.
  trouble.watch(easy);
  curl_easy_setopt(easy, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);  // It is signed as it is.
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(call.connect_ms));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(call.deadline_ms));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);  // Bytes a second.
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>((call.silence_ms + 999) / 1000));
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, call.is_sent_once ? 1L : 0L);
  prepare_body();
  headers = curl_slist_append(headers, "Expect:");  // No round trip to ask for the body.
  for (const std::string& each : call.headers) headers = curl_slist_append(headers, each.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, &Exchange::on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, this);
  trust_authorities(easy, call.ca_file, "AWS_CA_BUNDLE");
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, words);
}

Error HttpClient::Exchange::failure(CURLcode code) const {
  curl_off_t sent_after_us = 0;
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sent_after_us);
  const std::string said = words[0] != '\0' ? words : curl_easy_strerror(code);
  if (is_given_up()) {
    return {Fault::transient, Cause::other, "given up, since Rowlock is ending", ""};
  }
  if (const int own = trouble.own(easy, code); own != 0) {
    return own_trouble("it was not asked", own);
  }
  if (is_too_large) {
    return {Fault::broken, Cause::other, "it sent more than an answer may hold", ""};
  }
  if (sent_after_us == 0) {
    return {Fault::transient, Cause::unreachable, "it cannot be reached: " + said,
            "correct object_store.endpoint, or look after the network"};
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return {Fault::transient, Cause::deadline,
            "it did not finish its answer within " + seconds(call.deadline_ms) +
                ", or was silent for " + seconds(call.silence_ms),
            ""};
  }
  return {Fault::transient, Cause::other, "it broke off its answer: " + said, ""};
}

HttpClient::HttpClient(const std::atomic<bool>& ending) : ending_(ending) { set_up_curl(); }
HttpClient::~HttpClient() = default;

Result<HttpAnswer> HttpClient::send(const HttpCall& call) {
  std::unique_ptr<CurlHandle> connection = handles_.take();
  Exchange exchange(connection->easy, call, ending_);
  exchange.prepare();
  const CURLcode code = curl_easy_perform(connection->easy);
  if (code != CURLE_OK) return exchange.failure(code);
  long status = 0;
  curl_easy_getinfo(connection->easy, CURLINFO_RESPONSE_CODE, &status);
  exchange.answer.status = static_cast<int>(status);
  handles_.give_back(std::move(connection));
  return std::move(exchange.answer);
}

std::string HttpAnswer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

std::int64_t http_date_ms(const std::string& text) {
  constexpr std::int64_t kMsPerS = 1000;
  return std::max<std::int64_t>(0, curl_getdate(text.c_str(), nullptr)) * kMsPerS;
}

}  // namespace rowlock
