// By libcurl. An answer is either kept whole, up to a bound, or handed on while it comes; a handle
// goes back to the pool with its connection still open.
#include "controller/adapters/docker/docker_http.h"

#include "controller/adapters/http/curl_trouble.h"
#include "controller/base/own_trouble.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace rowlock {

namespace {

constexpr std::size_t kAnswerBytesMax =
    64 * 1024 * 1024;  // No list or error of an engine is near it.
constexpr long kConnectDeadlineMs = 5000;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

std::string seconds(std::int64_t ms) {
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

// libcurl must be set up once, before its first handle, and never from two threads.
void set_up_curl() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(done == CURLE_OK);
}

}  // namespace

// One request on its way, and what libcurl's callbacks write into.
struct DockerHttp::Exchange {
  Exchange(CURL* handle, const DockerRequest& asked) : easy(handle), request(asked) {}
  ~Exchange() { curl_slist_free_all(headers); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  static std::size_t on_body(char* bytes, std::size_t, std::size_t count, void* self) {
    return static_cast<Exchange*>(self)->take_body(std::string_view(bytes, count)) ? count : 0;
  }
  static std::size_t on_header(char* bytes, std::size_t, std::size_t count, void* self) {
    static_cast<Exchange*>(self)->take_header(std::string_view(bytes, count));
    return count;
  }
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Exchange*>(self)->stopped() ? 1 : 0;
  }

  bool stopped() const { return request.stop != nullptr && request.stop->load(); }

  int status() const {
    long code = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    return static_cast<int>(code);
  }

  bool take_body(std::string_view bytes) {
    if (stopped()) return false;
    if (request.on_bytes && status() / 100 == 2) {
      request.on_bytes(bytes);
      return true;
    }
    if (answer.body.size() + bytes.size() > kAnswerBytesMax) return false;
    answer.body += bytes;
    return true;
  }

  void take_header(std::string_view line) {
    constexpr std::string_view kName = "api-version:";
    if (line.size() < kName.size() || strncasecmp(line.data(), kName.data(), kName.size()) != 0)
      return;
    line.remove_prefix(kName.size());
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.front())) != 0)
      line.remove_prefix(1);
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0)
      line.remove_suffix(1);
    answer.api_version = std::string(line);
  }

  void add_header(const std::string& header) {
    headers = curl_slist_append(headers, header.c_str());
  }

  CURL* easy;
  const DockerRequest& request;
  DockerAnswer answer;
  CurlTrouble trouble;
  std::string url;  // libcurl copies its strings, all but the body.
  curl_slist* headers = nullptr;
};

DockerHttp::DockerHttp(std::string endpoint) : endpoint_(std::move(endpoint)) {
  set_up_curl();
  constexpr std::string_view kUnix = "unix://";
  constexpr std::string_view kTcp = "tcp://";
  if (starts_with(endpoint_, kUnix)) {
    socket_path_ = endpoint_.substr(kUnix.size());
    base_url_ = "http://localhost";
  } else if (starts_with(endpoint_, kTcp)) {
    // The rule of the docker command line: the folder switches TLS on, the other variable the check
    // of the engine's name.
    cert_path_ = environment("DOCKER_CERT_PATH");
    verify_ = !environment("DOCKER_TLS_VERIFY").empty();
    if (verify_ && cert_path_.empty()) cert_path_ = environment("HOME") + "/.docker";
    base_url_ = (cert_path_.empty() ? "http://" : "https://") + endpoint_.substr(kTcp.size());
  }
}

DockerHttp::~DockerHttp() = default;

void DockerHttp::prepare_tls(Exchange& exchange) const {
  curl_easy_setopt(exchange.easy, CURLOPT_CAINFO, (cert_path_ + "/ca.pem").c_str());
  curl_easy_setopt(exchange.easy, CURLOPT_SSLCERT, (cert_path_ + "/cert.pem").c_str());
  curl_easy_setopt(exchange.easy, CURLOPT_SSLKEY, (cert_path_ + "/key.pem").c_str());
  curl_easy_setopt(exchange.easy, CURLOPT_SSL_VERIFYPEER, verify_ ? 1L : 0L);
  curl_easy_setopt(exchange.easy, CURLOPT_SSL_VERIFYHOST, verify_ ? 2L : 0L);
}

void DockerHttp::prepare(Exchange& exchange) const {
  CURL* easy = exchange.easy;
  const DockerRequest& request = exchange.request;
  curl_easy_reset(easy);  // Keeps the open connection, forgets the rest.
  exchange.trouble.watch(easy);
  exchange.url = base_url_ + request.path;
  curl_easy_setopt(easy, CURLOPT_URL, exchange.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS,
                   1L);  // A name such as ".." must reach the engine, and be refused there.
  if (!socket_path_.empty()) curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, socket_path_.c_str());
  if (!cert_path_.empty()) prepare_tls(exchange);
  curl_easy_setopt(easy, CURLOPT_PROXY,
                   "");  // A web proxy has no business between a controller and its engine.
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE,
                   1L);  // Or a stream from a machine that vanished never ends.
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectDeadlineMs);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.deadline_ms));
  if (request.silence_ms > 0) {
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);  // Bytes a second.
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                     static_cast<long>((request.silence_ms + 999) / 1000));
  }
  exchange.add_header("Expect:");  // No round trip to ask whether the body is welcome.
  for (const std::string& header : request.headers) exchange.add_header(header);
  if (request.method == "POST") {
    exchange.add_header("Content-Type: application/json");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  } else if (request.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange.headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, request.stop == nullptr ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, &Exchange::on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &exchange);
}

Result<DockerAnswer> DockerHttp::send(const DockerRequest& request) {
  if (base_url_.empty()) {
    return Error{
        Fault::rejected, Cause::unreachable, "'" + endpoint_ + "' is not an engine's address",
        "write node.endpoint (or DOCKER_HOST) as unix:///path/to/socket or tcp://host:port"};
  }
  std::unique_ptr<CurlHandle> connection = handles_.take();
  Exchange exchange(connection->easy, request);
  prepare(exchange);
  const CURLcode code = curl_easy_perform(connection->easy);
  exchange.answer.status = exchange.status();
  if (code != CURLE_OK && !exchange.stopped()) return failure(exchange, code);
  handles_.give_back(std::move(connection));
  return std::move(exchange.answer);
}

Error DockerHttp::failure(const Exchange& exchange, int curl_code) const {
  if (const int own = exchange.trouble.own(exchange.easy, curl_code); own != 0) {
    return own_trouble("ask the engine at " + endpoint_, own);
  }
  const auto code = static_cast<CURLcode>(curl_code);
  const DockerRequest& request = exchange.request;
  long os_error = 0;
  curl_easy_getinfo(exchange.easy, CURLINFO_OS_ERRNO, &os_error);
  curl_off_t sent_after_us = 0;
  curl_easy_getinfo(exchange.easy, CURLINFO_PRETRANSFER_TIME_T, &sent_after_us);

  const bool timed_out = code == CURLE_OPERATION_TIMEDOUT;
  if (timed_out && sent_after_us > 0) {
    const bool silent = request.silence_ms > 0 && request.silence_ms < request.deadline_ms;
    return Error{Fault::transient, Cause::deadline,
                 "the engine at " + endpoint_ + " did not finish its answer within " +
                     seconds(request.deadline_ms) +
                     (silent ? ", or sent nothing for " + seconds(request.silence_ms) : ""),
                 ""};
  }
  if (sent_after_us == 0) {
    const bool denied = os_error == EACCES || os_error == EPERM;
    const char* const tls_hint = "check the certificates in DOCKER_CERT_PATH";
    const char* const start_hint = "start the engine, or correct node.endpoint (or DOCKER_HOST)";
    const bool connected =
        code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST && !timed_out;
    return Error{
        Fault::transient, Cause::unreachable,
        "the engine at " + endpoint_ + " cannot be reached: " +
            (os_error != 0 ? std::strerror(static_cast<int>(os_error)) : curl_easy_strerror(code)),
        denied ? "let Rowlock's user use the socket: usermod -aG docker USER"
               : (connected && !cert_path_.empty() ? tls_hint : start_hint)};
  }
  if (exchange.answer.body.size() + CURL_MAX_WRITE_SIZE > kAnswerBytesMax) {
    return Error{Fault::broken, Cause::other,
                 "the engine at " + endpoint_ + " sent more than an answer may hold", ""};
  }
  return Error{Fault::transient, Cause::other,
               "the engine at " + endpoint_ + " broke off its answer: " + curl_easy_strerror(code),
               ""};
}

}  // namespace rowlock
