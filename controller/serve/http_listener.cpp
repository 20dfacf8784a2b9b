// libmicrohttpd calls the functions of Entry, C as it is; each finds its HttpExchange and does one
// thing. Connections that wait for an answer are suspended, not polled.
#include "controller/serve/http_listener.h"

#include "controller/base/check.h"
#include "controller/serve/http_exchange.h"

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <microhttpd.h>
#include <string.h>  // explicit_bzero
#include <string>
#include <string_view>
#include <utility>

namespace rowlock {

namespace {

// For each connection: half of it is the buffer that is read into, and the request line and headers
// must fit. Past 32 KiB libmicrohttpd maps it, so that what is left in it goes back to the system.
constexpr std::size_t kConnectionMemory = 64 * 1024;

constexpr std::int64_t kTimerMsMax = 60'000;
constexpr std::int64_t kLookEveryMs = 1000;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// What the handler answers through. Copies share it; when the last one goes without an answer, the
// client gets one all the same, or it would wait for ever.
class Reply {
 public:
  using Send = std::function<void(HttpResponse)>;

  explicit Reply(Send send) : send_(std::move(send)) {}
  ~Reply() {
    if (!send_) return;
    HttpResponse forgotten;
    forgotten.status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    forgotten.body = R"({"errors":["the request was dropped without an answer"]})";
    send_(std::move(forgotten));
  }
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;

  void send(HttpResponse response) {
    if (const Send once = std::exchange(send_, nullptr)) once(std::move(response));
  }

 private:
  Send send_;
};

}  // namespace

struct HttpListener::Entry {
  static HttpListener& listener(void* self) { return *static_cast<HttpListener*>(self); }

  // Called first of all, with path and query as they came. What it returns comes back in `request`:
  // the place where they end.
  static void* on_target(void*, const char* target, MHD_Connection*) {
    return const_cast<char*>(target) + std::char_traits<char>::length(target);
  }

  // Called first with nothing but the head, then with each piece of the body, last with no piece;
  // with that again when a suspended connection was resumed.
  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* path,
                               const char* method, const char* version, const char* piece,
                               std::size_t* piece_size, void** request) {
    HttpExchange* exchange = listener(self).known(*request);
    if (exchange == nullptr) {
      // The version follows the target and its blank, unless a NUL in it has hidden the rest.
      const bool is_whole = version == static_cast<const char*>(*request) + 1;
      exchange = &listener(self).begin(*connection, is_whole ? path : "", method);
      *request = exchange;
      return !exchange->answers_before_the_body() || exchange->send_answer() ? MHD_YES : MHD_NO;
    }
    if (*piece_size == 0) return listener(self).complete(*exchange) ? MHD_YES : MHD_NO;
    const bool goes_on = exchange->take(std::string_view(piece, *piece_size));
    // The bytes may be a secret and would stay in the connection's memory until the next request.
    // They are ours by now: libmicrohttpd never reads again what was taken. It hands its own
    // buffer, which is not const.
    explicit_bzero(const_cast<char*>(piece), *piece_size);
    *piece_size = 0;
    return goes_on ? MHD_YES : MHD_NO;
  }

  static void on_completed(void* self, MHD_Connection* connection, void** request,
                           MHD_RequestTerminationCode) {
    listener(self).exchanges_.erase(*request);
    listener(self).connections_.is_answered(connection, now_ms());
    *request = nullptr;
  }

  // Once all connections are taken, libmicrohttpd stops listening until it runs the next time with
  // one of them free; nothing else would wake it for that.
  static void on_connection(void* self, MHD_Connection* connection, void**,
                            MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED) return listener(self).take_connection(*connection);
    listener(self).lose_connection(*connection);
    listener(self).run_soon();
  }

  // Leaves the escapes as they are: libmicrohttpd would let broken ones through, and end the path
  // at a NUL.
  static std::size_t unescape(void*, MHD_Connection*, char* text) {
    return std::char_traits<char>::length(text);
  }

  // Clients that break off are no news.
  static void on_log(void*, const char*, va_list) {}
};

HttpListener::HttpListener(Loop& loop, ListeningSocket socket, Door door,
                           std::shared_ptr<const HttpServer::Handle> handle,
                           std::shared_ptr<const HttpServer::Knows> knows)
    : loop_(loop),
      socket_(std::move(socket)),
      door_(door),
      handle_(std::move(handle)),
      knows_(std::move(knows)) {}

HttpListener::~HttpListener() { CHECK(daemon_ == nullptr); }

Result<> HttpListener::start() {
  daemon_ = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
                             nullptr, nullptr, &Entry::on_request, this,                 //
                             MHD_OPTION_EXTERNAL_LOGGER, &Entry::on_log, nullptr,        //
                             MHD_OPTION_LISTEN_SOCKET, socket_.fd(),                     //
                             MHD_OPTION_NOTIFY_COMPLETED, &Entry::on_completed, this,    //
                             MHD_OPTION_NOTIFY_CONNECTION, &Entry::on_connection, this,  //
                             MHD_OPTION_URI_LOG_CALLBACK, &Entry::on_target, nullptr,    //
                             MHD_OPTION_UNESCAPE_CALLBACK, &Entry::unescape, nullptr,    //
                             MHD_OPTION_CONNECTION_LIMIT, HttpServer::kConnectionsMax,   //
                             MHD_OPTION_CONNECTION_TIMEOUT, HttpServer::kIdleTimeoutS,   //
                             MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemory,      //
                             MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
  if (daemon_ == nullptr) {
    return Error{Fault::broken, Cause::other, "start the HTTP server: libmicrohttpd refused", ""};
  }
  const MHD_DaemonInfo* epoll = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
  CHECK(epoll != nullptr);
  timer_ = loop_.timer();
  look_timer_ = loop_.timer();
  watch_ = loop_.watch_fd(epoll->epoll_fd, true, false, [this](bool, bool) { run(); });
  run_again_when_due();
  return Done{};
}

// ---- Driven by the loop -------------------------------------------------------------------------

void HttpListener::run() {
  if (runs_ || daemon_ == nullptr) return;
  const auto alive = shared_from_this();  // The handler may let go of this.
  runs_ = true;
  MHD_run(daemon_);
  runs_ = false;
  if (ended_) {
    stop();
  } else {
    run_again_when_due();
  }
}

void HttpListener::run_again_when_due() {
  MHD_UNSIGNED_LONG_LONG ms = 0;
  if (MHD_get_timeout(daemon_, &ms) != MHD_YES) {
    timer_->cancel();
  } else if (ms == 0) {
    run_soon();  // There is more to read or write, but others on the loop get their turn.
  } else {
    const auto delay = static_cast<std::int64_t>(std::min<MHD_UNSIGNED_LONG_LONG>(ms, kTimerMsMax));
    timer_->start(delay, [this] { run(); });
  }
}

void HttpListener::run_soon() {
  if (std::exchange(run_asked_, true)) return;
  loop_.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->run_asked_ = false;
      self->run();
    }
  });
}

void HttpListener::end() {
  ended_ = true;
  if (!runs_) stop();
}

void HttpListener::stop() {
  if (daemon_ == nullptr) return;
  watch_.reset();  // Before the descriptor that it watches is closed.
  timer_.reset();
  look_timer_.reset();
  for (const auto& [key, exchange] : exchanges_) {
    if (std::exchange(exchange->is_suspended, false))
      MHD_resume_connection(&exchange->connection());
  }
  MHD_quiesce_daemon(daemon_);  // Or it would close the socket that is not its own.
  MHD_stop_daemon(daemon_);
  daemon_ = nullptr;
  exchanges_.clear();
}

// ---- Connections --------------------------------------------------------------------------------

void HttpListener::take_connection(MHD_Connection& connection) {
  const MHD_ConnectionInfo* descriptor =
      MHD_get_connection_info(&connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  CHECK(descriptor != nullptr);
  const Peer peer = door_ == Door::loopback ? Peer() : peer_of(descriptor->connect_fd);
  const bool is_first = connections_.empty();
  connections_.begin(&connection, descriptor->connect_fd, peer, now_ms());
  if (is_first && look_timer_) look_timer_->start(kLookEveryMs, [this] { look_at_connections(); });
}

void HttpListener::lose_connection(MHD_Connection& connection) {
  connections_.end(&connection);
  if (connections_.empty() && look_timer_) look_timer_->cancel();
}

void HttpListener::look_at_connections() {
  connections_.cut_late_ones(now_ms());
  look_timer_->start(kLookEveryMs, [this] { look_at_connections(); });
}

// ---- One request --------------------------------------------------------------------------------

HttpExchange* HttpListener::known(const void* request) const {
  const auto found = exchanges_.find(request);
  return found == exchanges_.end() ? nullptr : found->second.get();
}

HttpExchange& HttpListener::begin(MHD_Connection& connection, const char* path,
                                  const char* method) {
  connections_.has_head(&connection, now_ms());
  auto made =
      std::make_shared<HttpExchange>(connection, connections_, *knows_, door_, method, path);
  HttpExchange& exchange = *made;
  exchanges_.emplace(&exchange, std::move(made));
  return exchange;
}

bool HttpListener::complete(HttpExchange& exchange) {
  if (exchange.is_answered()) return exchange.send_answer();
  // Resumed without an answer: the listener has ended.
  if (std::exchange(exchange.is_handed_over, true)) return false;
  connections_.is_complete(&exchange.connection());
  hand_over(exchange);
  if (exchange.is_answered()) return exchange.send_answer();
  exchange.is_suspended = true;
  MHD_suspend_connection(&exchange.connection());
  return true;
}

void HttpListener::hand_over(HttpExchange& exchange) {
  const auto reply = std::make_shared<Reply>(
      [listener = weak_from_this(),
       asked = std::weak_ptr<HttpExchange>(exchanges_.at(&exchange))](HttpResponse response) {
        const auto self = listener.lock();
        const auto still_asked = asked.lock();
        if (self && still_asked) self->answer(*still_asked, std::move(response));
      });
  (*handle_)(exchange.take_request(),
             [reply](HttpResponse response) { reply->send(std::move(response)); });
}

void HttpListener::answer(HttpExchange& exchange, HttpResponse response) {
  exchange.set_answer(std::move(response));
  if (std::exchange(exchange.is_suspended, false)) {
    MHD_resume_connection(&exchange.connection());
    run_soon();  // Not here: it would call the handler from inside its own answer.
  }
}

}  // namespace rowlock
