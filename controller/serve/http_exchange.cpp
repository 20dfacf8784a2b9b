// A body may be a secret, so a buffer is wiped before it is let go, and is never let to grow in a
// way that leaves the old bytes behind.
#include "controller/serve/http_exchange.h"

#include "controller/base/json.h"
#include "controller/base/percent.h"

#include <algorithm>
#include <charconv>
#include <microhttpd.h>
#include <string.h>  // explicit_bzero
#include <strings.h>
#include <utility>

namespace rowlock {

namespace {

// All that the string holds, not just its length: a short one leaves its letters behind when it is
// moved from.
void wipe(std::string& text) {
  explicit_bzero(text.data(), text.capacity());
  text.clear();
}

// append() would leave the letters in the memory that it outgrows.
void append_without_trace(std::string& text, std::string_view piece) {
  if (text.size() + piece.size() > text.capacity()) {
    std::string larger;
    larger.reserve(std::max(text.size() + piece.size(), 2 * text.size()));
    larger.append(text);
    wipe(text);
    text = std::move(larger);
  }
  text.append(piece);
}

template <typename Pairs>
MHD_Result add_pair(void* pairs, MHD_ValueKind, const char* key, std::size_t key_size,
                    const char* value, std::size_t value_size) {
  static_cast<Pairs*>(pairs)->emplace_back(std::string(key, key_size),
                                           value == nullptr ? "" : std::string(value, value_size));
  return MHD_YES;
}

using TextPairs = std::vector<std::pair<std::string, std::string>>;

TextPairs pairs_of(MHD_Connection& connection, MHD_ValueKind kind) {
  TextPairs pairs;
  MHD_get_connection_values_n(&connection, kind, &add_pair<TextPairs>, &pairs);
  return pairs;
}

}  // namespace

HttpExchange::HttpExchange(MHD_Connection& connection, HttpConnections& all,
                           const HttpServer::Knows& knows, Door door, const char* method,
                           const char* path)
    : connection_(connection), all_(all), knows_(knows) {
  request_.method = method;
  request_.door = door;
  if (door == Door::operators) request_.user = all_.peer(&connection).user;
  request_.headers = pairs_of(connection_, MHD_HEADER_KIND);
  check_framing();
  read_path(path);
  read_query();
  read_length();
}

HttpExchange::~HttpExchange() {
  drop_body();
  if (answer_) wipe(answer_->body);
}

// RFC 9112, sections 3.2 and 6.3: who is in front may have read it otherwise.
void HttpExchange::check_framing() {
  const auto count = [this](const char* name) {
    return std::count_if(
        request_.headers.begin(), request_.headers.end(),
        [name](const auto& header) { return ::strcasecmp(header.first.c_str(), name) == 0; });
  };
  const auto lengths = count(MHD_HTTP_HEADER_CONTENT_LENGTH);
  const auto encodings = count(MHD_HTTP_HEADER_TRANSFER_ENCODING);
  is_ambiguous_ = count(MHD_HTTP_HEADER_HOST) > 1 || lengths + encodings > 1;
  if (!is_ambiguous_) return;
  set_refusal(MHD_HTTP_BAD_REQUEST,
              "the request may have one Host, and either one Content-Length or one "
              "Transfer-Encoding");
}

void HttpExchange::read_path(const char* path) {
  std::optional<std::string> decoded = percent_decoded(path);
  if (!decoded || !decoded->starts_with('/')) {
    return set_refusal(MHD_HTTP_BAD_REQUEST,
                       "the path of the request must begin with / and be UTF-8 without a NUL, "
                       "percent-encoded as %XX");
  }
  request_.path = std::move(*decoded);
}

void HttpExchange::read_query() {
  for (const auto& [name, value] : pairs_of(connection_, MHD_GET_ARGUMENT_KIND)) {
    std::optional<std::string> decoded_name = percent_decoded(name);
    std::optional<std::string> decoded_value = percent_decoded(value);
    if (!decoded_name || !decoded_value) {
      return set_refusal(MHD_HTTP_BAD_REQUEST,
                         "the query of the request must be UTF-8 without a NUL, percent-encoded as "
                         "%XX");
    }
    request_.query.emplace_back(std::move(*decoded_name), std::move(*decoded_value));
  }
}

// libmicrohttpd has refused what is not a number already.
void HttpExchange::read_length() {
  const std::string text = request_.header(MHD_HTTP_HEADER_CONTENT_LENGTH);
  std::from_chars(text.data(), text.data() + text.size(), declared_);
  if (!may_send(declared_)) refuse_body();
}

bool HttpExchange::may_send(std::size_t size) {
  if (size <= HttpServer::kStrangerBodyMax) return true;
  if (!is_known_) {
    is_known_ = request_.may_be_known() &&
                (request_.door == Door::operators || !knows_ || knows_(request_));
  }
  return *is_known_ && size <= HttpServer::kBodyMax;
}

void HttpExchange::refuse_body() {
  const bool is_known = is_known_.value_or(false);
  const std::size_t most = is_known ? HttpServer::kBodyMax : HttpServer::kStrangerBodyMax;
  set_refusal(MHD_HTTP_CONTENT_TOO_LARGE,
              "the body of the request may have at most " + std::to_string(most) + " bytes" +
                  (is_known ? "; send less at a time" : " without a token that is good"));
}

void HttpExchange::drop_body() {
  wipe(request_.body);
  all_.let_go(std::exchange(kept_, 0));
}

bool HttpExchange::answers_before_the_body() const {
  return is_ambiguous_ || declared_ > kDiscardMax ||
         (is_answered() && declared_ > HttpServer::kStrangerBodyMax &&
          !request_.header(MHD_HTTP_HEADER_EXPECT).empty());
}

bool HttpExchange::take(std::string_view piece) {
  if (!answer_ && !may_send(request_.body.size() + piece.size())) {
    refuse_body();
  } else if (!answer_ && !all_.keep(piece.size())) {
    set_refusal(MHD_HTTP_SERVICE_UNAVAILABLE, "too much is being sent at once: try again");
  } else if (!answer_) {
    kept_ += piece.size();
  }
  if (answer_) {
    if (!request_.body.empty()) drop_body();
    discarded_ += piece.size();
    return discarded_ <= kDiscardMax;
  }
  append_without_trace(request_.body, piece);
  return true;
}

HttpRequest HttpExchange::take_request() { return std::move(request_); }

void HttpExchange::set_answer(HttpResponse response) {
  if (answer_) {
    wipe(response.body);
  } else {
    answer_ = std::move(response);
    wipe(response.body);
  }
}

void HttpExchange::set_refusal(int status, const std::string& sentence) {
  HttpResponse refusal;
  refusal.status = status;
  refusal.body = Json::object({{"errors", Json::array({Json::string(sentence)})}}).text();
  set_answer(std::move(refusal));
}

bool HttpExchange::send_answer() {
  // Persistent: libmicrohttpd reads the body where it is, and never makes a copy that nobody wipes.
  std::string& body = answer_->body;
  MHD_Response* response =
      MHD_create_response_from_buffer(body.size(), body.data(), MHD_RESPMEM_PERSISTENT);
  if (response == nullptr) return false;
  // A header that HTTP cannot carry, such as one with a line's end in it, is left out.
  if (!answer_->content_type.empty()) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer_->content_type.c_str());
  }
  if (is_ambiguous_) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  for (const auto& [name, value] : answer_->headers) {
    MHD_add_response_header(response, name.c_str(), value.c_str());
  }
  const MHD_Result queued =
      MHD_queue_response(&connection_, static_cast<unsigned>(answer_->status), response);
  MHD_destroy_response(response);
  return queued == MHD_YES;
}

}  // namespace rowlock
