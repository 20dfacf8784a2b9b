// libcurl's "multi socket" interface, as its manual draws it: curl tells the sockets and the one
// moment to wait for (curl_multi_setopt), we tell what happened (curl_multi_socket_action) and
// collect what has ended. The two callbacks from curl only note what it wants: calling back into
// curl from there is forbidden.
#include "controller/adapters/http/curl_prober.h"

#include "controller/adapters/http/curl_probe.h"
#include "controller/base/check.h"
#include "controller/base/watched_time.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rowlock {
namespace {

// More than anybody means, less than curl takes.
constexpr std::int64_t kTimeoutMaxMs = 60 * 60 * 1000;

using OnDone = std::function<void(const ProbeResult&)>;
using WatchedMs = std::int64_t;  // As WatchedTime counts them.

// How often the loop comes to look while a probe is under way.
constexpr std::int64_t kLookEveryMs = 50;

// Counts on while the machine is suspended.
std::int64_t boot_now_ms() {
  timespec now = {};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

// A probe that is asked for and not yet answered.
struct Asked {
  Probe probe;
  OnDone done;
};

// One that is on the wire.
struct Transfer {
  Transfer(Asked what, WatchedMs ends, std::int64_t missed_ms)
      : asked(std::move(what)), deadline(ends), missed_before_ms(missed_ms), curl(asked.probe) {}

  Asked asked;
  WatchedMs deadline;
  std::int64_t missed_before_ms;
  CurlProbe curl;
};

}  // namespace

// All probes that are under way, and what libcurl waits for on their behalf.
class CurlProber::Transfers {
 public:
  Transfers(Loop& loop, std::size_t probes_max);
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
  void take_ended(std::vector<Ended>& ended);
  void take_overdue(std::vector<Ended>& ended);
  void end(CURL* easy, const ProbeResult& result, std::vector<Ended>& ended);
  void start_waiting();
  void start(Asked asked, WatchedMs deadline);
  void look_again();

  Loop& loop_;
  const std::size_t probes_max_;
  std::unordered_map<curl_socket_t, std::unique_ptr<FdWatch>> sockets_;
  std::unique_ptr<Timer> curl_timer_;
  std::unique_ptr<Timer> look_timer_;
  WatchedTime time_;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> transfers_;
  std::set<std::pair<WatchedMs, CURL*>> deadlines_;  // Of the transfers.
  std::multimap<WatchedMs, Asked> waiting_;          // By deadline.
  CURLM* multi_;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

CurlProber::Transfers::Transfers(Loop& loop, std::size_t probes_max)
    : loop_(loop), probes_max_(probes_max), curl_timer_(loop.timer()), look_timer_(loop.timer()) {
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
  time_.look(boot_now_ms());
  const WatchedMs deadline = time_.now_ms() + timeout_ms;
  waiting_.emplace(deadline, std::move(asked));
  start_waiting();
  look_again();
}

// What happened goes to curl, what has ended comes back, what waits takes the free places; then the
// callers learn. What has come is heard before anybody is given up.
void CurlProber::Transfers::act(curl_socket_t fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  time_.look(boot_now_ms());
  std::vector<Ended> ended;
  take_ended(ended);
  take_overdue(ended);
  start_waiting();
  look_again();
  const std::weak_ptr<const bool> still_alive = alive_;
  for (const Ended& each : ended) {
    if (still_alive.expired()) {
      return;  // The call before destroyed us.
    }
    each.asked.done(each.result);
  }
}

void CurlProber::Transfers::take_ended(std::vector<Ended>& ended) {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;  // The message is gone once the handle is removed.
    const Transfer& transfer = *transfers_.at(easy);
    const bool was_missed = time_.missed_ms() > transfer.missed_before_ms;
    end(easy, transfer.curl.result(code, was_missed), ended);
  }
}

// Those whose time ran out: it was spent on them, or it ran out before their turn came.
void CurlProber::Transfers::take_overdue(std::vector<Ended>& ended) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= time_.now_ms()) {
    CURL* easy = deadlines_.begin()->second;
    end(easy, transfers_.at(easy)->curl.no_answer(), ended);
  }
  while (!waiting_.empty() && waiting_.begin()->first <= time_.now_ms()) {
    ended.push_back({std::move(waiting_.begin()->second),
                     {false, fmt::format("not asked: {} others were", transfers_.size()), false}});
    waiting_.erase(waiting_.begin());
  }
}

void CurlProber::Transfers::end(CURL* easy, const ProbeResult& result, std::vector<Ended>& ended) {
  const auto found = transfers_.find(easy);
  curl_multi_remove_handle(multi_, easy);
  deadlines_.erase({found->second->deadline, easy});
  ended.push_back({std::move(found->second->asked), result});
  transfers_.erase(found);
}

void CurlProber::Transfers::start_waiting() {
  while (!waiting_.empty() && transfers_.size() < probes_max_) {
    auto first = waiting_.extract(waiting_.begin());
    start(std::move(first.mapped()), first.key());
  }
}

// Curl only takes note here; it begins when its timer calls.
void CurlProber::Transfers::start(Asked asked, WatchedMs deadline) {
  auto transfer = std::make_unique<Transfer>(std::move(asked), deadline, time_.missed_ms());
  CURL* easy = transfer->curl.easy();
  transfers_.emplace(easy, std::move(transfer));
  deadlines_.emplace(deadline, easy);
  CHECK(curl_multi_add_handle(multi_, easy) == CURLM_OK);
}

// At the next deadline, and soon in any case, or nobody would notice a pause.
void CurlProber::Transfers::look_again() {
  if (deadlines_.empty()) {
    look_timer_->cancel();
    time_.promise_nothing();
    return;
  }
  WatchedMs next = deadlines_.begin()->first;
  if (!waiting_.empty()) {
    next = std::min(next, waiting_.begin()->first);
  }
  const std::int64_t soon_ms = std::clamp<std::int64_t>(next - time_.now_ms(), 1, kLookEveryMs);
  time_.promise(soon_ms);
  look_timer_->start(soon_ms, [this] { act(CURL_SOCKET_TIMEOUT, 0); });
}

CurlProber::CurlProber(Loop& loop, std::size_t probes_max)
    : transfers_(std::make_unique<Transfers>(loop, probes_max)) {}
CurlProber::~CurlProber() = default;

void CurlProber::probe(const Probe& probe, OnDone done) {
  transfers_->ask({probe, std::move(done)});
}

}  // namespace rowlock
