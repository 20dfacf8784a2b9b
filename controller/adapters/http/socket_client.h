// HTTP to the controller of this machine, over its unix socket, as the command line speaks it: one
// question, one answer.
#pragma once

#include "controller/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

struct Answer {
  int status = 0;
  std::string body;
};

// Blocks until the answer is complete, for at most `timeout_ms`. `path` is percent-encoded, from
// the slash on, with its query. A body is sent as JSON unless `headers` name another Content-Type.
//
// Any answer is a success here, whatever its status. Cause::unreachable when nobody listens,
// Cause::deadline when the answer was not complete in time: what was asked for may have been done
// all the same. Fault::rejected when this user may not use the socket. Body and headers may be
// secrets: what is left of either in the memory of this call is overwritten.
Result<Answer> ask(const std::string& socket_path, const std::string& method,
                   const std::string& path, std::string_view body,
                   const std::vector<std::pair<std::string, std::string>>& headers,
                   std::int64_t timeout_ms);

}  // namespace rowlock
