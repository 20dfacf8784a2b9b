// The connections of one listener: how long each may take for a head and for a body, who makes way
// when all places are taken, and how much of bodies is kept at a time. Whoever sends half a head,
// or a byte now and then, holds a place for seconds and takes it from nobody. Private to this
// folder.
#pragma once

#include "controller/serve/peer.h"

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace rowlock {

class HttpConnections {
 public:
  static constexpr std::int64_t kFirstHeadMaxMs = 10'000;  // From the connection's beginning.
  static constexpr std::int64_t kNextHeadMaxMs = 60'000;   // From the last answer; idle or not.
  static constexpr std::int64_t kBodyMaxMs = 30'000;       // From the end of the head.
  static constexpr std::size_t kCrowded = 192;  // With more, those who keep a place make way.
  static constexpr std::size_t kWaitingBytesMax = 16 * 1024 * 1024;  // Of bodies, all together.

  // By whatever names a connection. Times are of a clock that only goes forward.
  void begin(const void* connection, int fd, Peer peer, std::int64_t now_ms);
  void end(const void* connection) { all_.erase(connection); }
  Peer peer(const void* connection) const;
  bool empty() const { return all_.empty(); }

  // Where its request stands.
  void has_head(const void* connection, std::int64_t now_ms);
  void is_complete(const void* connection);  // From here on it waits for us, and has no deadline.
  void is_answered(const void* connection, std::int64_t now_ms);

  // Cuts those that are over their time; due every second. When it comes late, nobody else is.
  void cut_late_ones(std::int64_t now_ms);

  // False when no more of bodies can be kept now.
  bool keep(std::size_t bytes);
  void let_go(std::size_t bytes) { waiting_bytes_ -= bytes; }

 private:
  enum class Stage { first_head, next_head, body, answer };
  struct Place {
    int fd;
    Peer peer;
    std::int64_t since_ms;
    Stage stage = Stage::first_head;
    bool is_cut = false;
  };

  static std::int64_t most_ms(Stage stage);
  static void cut(Place& place);
  void make_room();

  std::unordered_map<const void*, Place> all_;
  std::int64_t looked_at_ms_ = 0;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace rowlock
