// A connection is cut by shutting its socket down: libmicrohttpd sees that its client is gone and
// clears up as it always does.
#include "controller/serve/http_connections.h"

#include <algorithm>
#include <map>
#include <sys/socket.h>

namespace rowlock {

namespace {

constexpr std::int64_t kLateMs =
    2000;  // A look that comes so long after the last is our own fault.

}  // namespace

std::int64_t HttpConnections::most_ms(Stage stage) {
  switch (stage) {
    case Stage::first_head: return kFirstHeadMaxMs;
    case Stage::next_head: return kNextHeadMaxMs;
    case Stage::body: return kBodyMaxMs;
    case Stage::answer: break;
  }
  return INT64_MAX;
}

void HttpConnections::cut(Place& place) {
  place.is_cut = true;
  (void)::shutdown(place.fd, SHUT_RDWR);
}

void HttpConnections::begin(const void* connection, int fd, Peer peer, std::int64_t now_ms) {
  if (all_.empty()) looked_at_ms_ = now_ms;
  all_.insert_or_assign(connection, Place{fd, peer, now_ms});
  if (all_.size() > kCrowded) make_room();
}

Peer HttpConnections::peer(const void* connection) const {
  const auto found = all_.find(connection);
  return found == all_.end() ? Peer() : found->second.peer;
}

// Of whoever has most places, the one that has been without a whole request for longest. Who sends
// a request as a client does is through with it long before that.
void HttpConnections::make_room() {
  std::map<std::int64_t, std::size_t> places;
  for (const auto& [key, place] : all_) ++places[place.peer.process];
  Place* first = nullptr;
  const auto goes_before = [&](const Place& one, const Place& other) {
    const std::size_t has = places[one.peer.process];
    const std::size_t other_has = places[other.peer.process];
    return has != other_has ? has > other_has : one.since_ms < other.since_ms;
  };
  for (auto& [key, place] : all_) {
    if (place.is_cut || place.stage == Stage::answer) continue;
    if (first == nullptr || goes_before(place, *first)) first = &place;
  }
  if (first != nullptr) cut(*first);
}

void HttpConnections::has_head(const void* connection, std::int64_t now_ms) {
  if (const auto found = all_.find(connection); found != all_.end()) {
    found->second.stage = Stage::body;
    found->second.since_ms = now_ms;
  }
}

void HttpConnections::is_complete(const void* connection) {
  if (const auto found = all_.find(connection); found != all_.end())
    found->second.stage = Stage::answer;
}

void HttpConnections::is_answered(const void* connection, std::int64_t now_ms) {
  if (const auto found = all_.find(connection); found != all_.end()) {
    found->second.stage = Stage::next_head;
    found->second.since_ms = now_ms;
  }
}

void HttpConnections::cut_late_ones(std::int64_t now_ms) {
  const std::int64_t passed_ms = now_ms - looked_at_ms_;
  looked_at_ms_ = now_ms;
  for (auto& [key, place] : all_) {
    // What came meanwhile was not read yet.
    if (passed_ms > kLateMs) place.since_ms = std::min(now_ms, place.since_ms + passed_ms);
    if (!place.is_cut && now_ms - place.since_ms > most_ms(place.stage)) cut(place);
  }
}

bool HttpConnections::keep(std::size_t bytes) {
  if (waiting_bytes_ + bytes > kWaitingBytesMax) return false;
  waiting_bytes_ += bytes;
  return true;
}

}  // namespace rowlock
