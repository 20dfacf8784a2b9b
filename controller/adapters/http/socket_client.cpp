// By libcurl, one connection for each question. What libcurl itself keeps on its way out cannot be
// overwritten from here; what comes in is, in its buffer and in ours.
#include "controller/adapters/http/socket_client.h"

#include "controller/adapters/http/curl_trouble.h"
#include "controller/base/own_trouble.h"

#include <curl/curl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string.h>  // explicit_bzero
#include <strings.h>

namespace rowlock {

namespace {

constexpr std::size_t kAnswerBytesMax = 64 * 1024 * 1024;
constexpr std::size_t kSocketPathMax = 107;  // sockaddr_un has 108 bytes, the last of them NUL.

void wipe(std::string& text) {
  explicit_bzero(text.data(), text.capacity());
  text.clear();
}

std::string seconds(std::int64_t ms) {
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

class HeaderList {
 public:
  HeaderList() = default;
  ~HeaderList() {
    for (curl_slist* item = list_; item != nullptr; item = item->next) {
      explicit_bzero(item->data, std::strlen(item->data));
    }
    curl_slist_free_all(list_);
  }
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;

  // In libcurl's words: a semicolon sends a header without a value, a colon alone removes it.
  void add(const std::string& name, const std::string& value) {
    std::string line = value.empty() ? name + ";" : name + ": " + value;
    list_ = curl_slist_append(list_, line.c_str());
    wipe(line);
  }
  void remove(const char* name) {
    list_ = curl_slist_append(list_, (std::string(name) + ":").c_str());
  }

  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

// The answer as it comes in.
struct Incoming {
  ~Incoming() { wipe(body); }

  static std::size_t on_body(char* bytes, std::size_t, std::size_t count, void* self) {
    const bool taken = static_cast<Incoming*>(self)->take(std::string_view(bytes, count));
    explicit_bzero(bytes, count);  // libcurl's buffer; it has no further use for them.
    return taken ? count : 0;
  }

  bool take(std::string_view bytes) {
    const std::size_t size = body.size() + bytes.size();
    is_too_large = size > kAnswerBytesMax;
    if (is_too_large) return false;
    if (size > body.capacity()) {  // append() would leave the letters in what it outgrows.
      std::string larger;
      larger.reserve(std::max(size, 2 * body.size()));
      larger.append(body);
      wipe(body);
      body = std::move(larger);
    }
    body.append(bytes);
    return true;
  }

  std::string body;
  bool is_too_large = false;
};

bool fits_on_a_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

Error rejected(std::string message, std::string hint = "") {
  return Error{Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

Error failure(CURL* easy, CURLcode code, const CurlTrouble& trouble, const std::string& socket_path,
              std::int64_t timeout_ms, bool is_too_large) {
  const std::string where = "the controller at " + socket_path;
  if (const int own = trouble.own(easy, code); own != 0) {
    return own_trouble("ask " + where, own);
  }
  long os_error = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return Error{Fault::transient, Cause::deadline,
                 where + " did not answer within " + seconds(timeout_ms), ""};
  }
  if (code == CURLE_COULDNT_CONNECT && (os_error == EACCES || os_error == EPERM)) {
    return rejected("this user may not use the socket " + socket_path,
                    "run it with sudo, or as a member of the socket's group");
  }
  if (code == CURLE_COULDNT_CONNECT && os_error == EAGAIN) {
    return Error{Fault::transient, Cause::deadline,
                 where + " has more clients waiting than it can hold", "try again"};
  }
  if (code == CURLE_COULDNT_CONNECT) {
    return Error{
        Fault::transient, Cause::unreachable,
        "no controller runs on this home: nobody serves at " + socket_path +
            (os_error == 0 ? "" : ": " + std::string(std::strerror(static_cast<int>(os_error)))),
        "start it with `rowlock run`"};
  }
  if (is_too_large) {
    return Error{
        Fault::broken, Cause::other,
        where + " sent more than an answer may hold: " + std::to_string(kAnswerBytesMax) + " bytes",
        ""};
  }
  return Error{Fault::transient, Cause::other,
               where + " broke off its answer: " + curl_easy_strerror(code), ""};
}

void prepare(CURL* easy, const std::string& method, std::string_view body, Incoming& incoming) {
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // Whatever the environment names.
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  if (!body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
  }
  if (method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);  // Or libcurl waits for a body of that length.
  } else {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Incoming::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &incoming);
}

}  // namespace

Result<Answer> ask(const std::string& socket_path, const std::string& method,
                   const std::string& path, std::string_view body,
                   const std::vector<std::pair<std::string, std::string>>& headers,
                   std::int64_t timeout_ms) {
  if (socket_path.size() > kSocketPathMax) {
    return rejected("the path of the controller's socket has more than " +
                        std::to_string(kSocketPathMax) + " bytes: " + socket_path,
                    "give the home a shorter one");
  }
  HeaderList list;
  list.remove("Expect");  // No round trip to ask whether the body is welcome.
  const bool names_its_type = std::any_of(headers.begin(), headers.end(), [](const auto& header) {
    return strcasecmp(header.first.c_str(), "content-type") == 0;
  });
  if (!body.empty() && !names_its_type) list.add("Content-Type", "application/json");
  for (const auto& [name, value] : headers) {
    if (!fits_on_a_line(name) || !fits_on_a_line(value)) {
      return rejected("the header " + name + " has a line's end in it");
    }
    list.add(name, value);
  }

  curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(curl_easy_init(), &curl_easy_cleanup);
  CHECK(easy != nullptr);
  Incoming incoming;
  prepare(easy.get(), method, body, incoming);
  curl_easy_setopt(easy.get(), CURLOPT_URL, ("http://localhost" + path).c_str());
  curl_easy_setopt(easy.get(), CURLOPT_UNIX_SOCKET_PATH, socket_path.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_ms));
  CurlTrouble trouble;
  trouble.watch(easy.get());
  const CURLcode code = curl_easy_perform(easy.get());
  if (code != CURLE_OK) {
    return failure(easy.get(), code, trouble, socket_path, timeout_ms, incoming.is_too_large);
  }
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  return Answer{static_cast<int>(status), std::move(incoming.body)};
}

}  // namespace rowlock
