// libcurl's "multi socket" interface, as its manual draws it: curl tells the sockets and the one
// moment to wait for (curl_multi_setopt), we tell what happened (curl_multi_socket_action) and
// collect what has ended. The two callbacks from curl only note what it wants: calling back into
// curl from there is forbidden.
#include "controller/adapters/http/curl_prober.h"

#include "controller/adapters/http/curl_probe.h"
#include "controller/base/check.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rowlock {
namespace {

// More than anybody means, less than curl takes.
constexpr std::int64_t kTimeoutMaxMs = 60 * 60 * 1000;

using OnDone = std::function<void(const ProbeResult&)>;
using SteadyMs = std::int64_t;  // Milliseconds on a clock that is never set.

SteadyMs steady_now_ms() {
  const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since_start).count();
}

// A probe that is asked for and not yet answered.
struct Asked {
  Probe probe;
  OnDone done;
};

// One that is on the wire.
struct Transfer {
  Transfer(Asked what, std::int64_t timeout_ms)
      : asked(std::move(what)), curl(asked.probe, timeout_ms) {}

  Asked asked;
  CurlProbe curl;
};

ProbeResult no_answer(const Probe& probe) {
  return {false, fmt::format("no answer within {} ms", probe.timeout_ms)};
}

}  // namespace

// All probes that are under way, and what libcurl waits for on their behalf.
class CurlProber::Transfers {
 public:
  explicit Transfers(Loop& loop);
  ~Transfers();

  void ask(Asked asked);

 private:
  struct Ended {
    Asked asked;
    ProbeResult result;
  };

  static int note_socket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int note_timer(CURLM*, long ms, void* self);
  void act(curl_socket_t fd, int events);
  std::vector<Ended> take_ended();
  void take_overdue(std::vector<Ended>& ended);
  void start_waiting();
  void start(Asked asked, std::int64_t timeout_ms);
  void wait_for_deadline();

  Loop& loop_;
  std::unordered_map<curl_socket_t, std::unique_ptr<FdWatch>> sockets_;
  std::unique_ptr<Timer> curl_timer_;
  std::unique_ptr<Timer> deadline_timer_;  // Of the first in waiting_.
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> transfers_;
  std::multimap<SteadyMs, Asked> waiting_;  // By deadline.
  CURLM* multi_;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

CurlProber::Transfers::Transfers(Loop& loop)
    : loop_(loop), curl_timer_(loop.timer()), deadline_timer_(loop.timer()) {
  CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) ==
        CURLE_OK);  // Counted, and thread-safe since curl 7.84.
  multi_ = curl_multi_init();
  CHECK(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, note_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, note_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

CurlProber::Transfers::~Transfers() {
  for (const auto& [easy, transfer] : transfers_) {
    curl_multi_remove_handle(multi_, easy);
  }
  transfers_.clear();
  curl_multi_cleanup(multi_);
}

// Called by curl: which events it waits for on a socket.
int CurlProber::Transfers::note_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  auto& transfers = *static_cast<Transfers*>(self);
  if (what == CURL_POLL_REMOVE) {
    transfers.sockets_.erase(fd);
    return 0;
  }
  const bool readable = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
  const bool writable = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
  std::unique_ptr<FdWatch>& watch = transfers.sockets_[fd];
  if (watch != nullptr) {
    watch->want(readable, writable);
    return 0;
  }
  const auto on_event = [&transfers, fd](bool is_readable, bool is_writable) {
    transfers.act(fd, (is_readable ? CURL_CSELECT_IN : 0) | (is_writable ? CURL_CSELECT_OUT : 0));
  };
  watch = transfers.loop_.watch_fd(fd, readable, writable, on_event);
  return 0;
}

// Called by curl: the moment at which it wants to be called; -1 for none, 0 for at once, but never
// from here.
int CurlProber::Transfers::note_timer(CURLM*, long ms, void* self) {
  auto& transfers = *static_cast<Transfers*>(self);
  if (ms < 0) {
    transfers.curl_timer_->cancel();
  } else {
    transfers.curl_timer_->start(ms, [&transfers] { transfers.act(CURL_SOCKET_TIMEOUT, 0); });
  }
  return 0;
}

void CurlProber::Transfers::ask(Asked asked) {
  std::int64_t& timeout_ms = asked.probe.timeout_ms;
  timeout_ms = std::clamp<std::int64_t>(timeout_ms, 1, kTimeoutMaxMs);
  const SteadyMs deadline = steady_now_ms() + timeout_ms;
  waiting_.emplace(deadline, std::move(asked));
  start_waiting();
  wait_for_deadline();
}

// What happened goes to curl, what has ended comes back, what waits takes the free places; then the
// callers learn.
void CurlProber::Transfers::act(curl_socket_t fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  std::vector<Ended> ended = take_ended();
  take_overdue(ended);
  start_waiting();
  wait_for_deadline();
  const std::weak_ptr<const bool> still_alive = alive_;
  for (const Ended& each : ended) {
    if (still_alive.expired()) {
      return;  // The call before destroyed us.
    }
    each.asked.done(each.result);
  }
}

std::vector<CurlProber::Transfers::Ended> CurlProber::Transfers::take_ended() {
  std::vector<Ended> ended;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;  // The message is gone once the handle is removed.
    const auto found = transfers_.find(easy);
    CHECK(found != transfers_.end());
    const ProbeResult result = found->second->curl.result(code);
    curl_multi_remove_handle(multi_, easy);
    ended.push_back({std::move(found->second->asked), result});
    transfers_.erase(found);
  }
  return ended;
}

// Those whose time ran out before their turn came.
void CurlProber::Transfers::take_overdue(std::vector<Ended>& ended) {
  while (!waiting_.empty() && waiting_.begin()->first <= steady_now_ms()) {
    const ProbeResult result = no_answer(waiting_.begin()->second.probe);
    ended.push_back({std::move(waiting_.begin()->second), result});
    waiting_.erase(waiting_.begin());
  }
}

void CurlProber::Transfers::start_waiting() {
  while (!waiting_.empty() && transfers_.size() < kProbesMax) {
    auto first = waiting_.extract(waiting_.begin());
    start(std::move(first.mapped()), std::max<std::int64_t>(first.key() - steady_now_ms(), 1));
  }
}

// Curl only takes note here; it begins when its timer calls.
void CurlProber::Transfers::start(Asked asked, std::int64_t timeout_ms) {
  auto transfer = std::make_unique<Transfer>(std::move(asked), timeout_ms);
  CURL* easy = transfer->curl.easy();
  transfers_.emplace(easy, std::move(transfer));
  CHECK(curl_multi_add_handle(multi_, easy) == CURLM_OK);
}

void CurlProber::Transfers::wait_for_deadline() {
  if (waiting_.empty()) {
    deadline_timer_->cancel();
    return;
  }
  const SteadyMs left = waiting_.begin()->first - steady_now_ms();
  deadline_timer_->start(left, [this] { act(CURL_SOCKET_TIMEOUT, 0); });
}

CurlProber::CurlProber(Loop& loop) : transfers_(std::make_unique<Transfers>(loop)) {}
CurlProber::~CurlProber() = default;

void CurlProber::probe(const Probe& probe, OnDone done) {
  transfers_->ask({probe, std::move(done)});
}

}  // namespace rowlock
