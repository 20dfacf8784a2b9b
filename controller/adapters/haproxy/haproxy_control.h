// Questions and commands for a running HAProxy, whether its socket is a master's, which passes them
// on to the worker that is meant, or a worker's own.
#pragma once

#include "controller/adapters/haproxy/haproxy_socket.h"
#include "controller/base/result.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace rowlock {

struct Told {
  bool is_master = false;
  ProcessList processes;  // A master's.
  std::string answer;     // Of the worker that takes new connections.
};

// Thread-safe: every call has a connection of its own.
class HaproxyControl {
 public:
  HaproxyControl(std::string socket, bool is_master)
      : socket_(std::move(socket)), kind_(is_master ? Kind::master : Kind::unknown) {}

  const std::string& socket() const { return socket_; }

  // All of them in one go, in order, to the worker that takes new connections.
  Result<Told> tell(const std::vector<std::string>& commands);

  // The same, to a worker from before a reload. Requires: the socket is a master's.
  Result<std::string> tell_old(std::int64_t worker, const std::vector<std::string>& commands);

  // A command that comes with text, which holds no empty line. What HAProxy says to it.
  Result<std::string> tell_with_text(const std::string& command, const std::string& text);

  // Has the master begin to reload. It closes the connection while it does.
  Result<> tell_to_reload();

 private:
  enum class Kind { unknown, master, worker };

  Result<Told> tell_as(Kind kind, const std::vector<std::string>& commands);

  std::string socket_;
  std::atomic<Kind> kind_;  // Of the socket, as it last answered.
};

}  // namespace rowlock
