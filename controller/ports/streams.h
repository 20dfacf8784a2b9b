// Bytes on their way, block by block: what dumps, archives and stores hand to each other.
#pragma once

#include "controller/base/result.h"

#include <functional>
#include <string>
#include <string_view>

namespace rowlock {

// Where bytes go, block by block. An error ends what they come from, and is its result.
using Sink = std::function<Result<>(std::string_view bytes)>;

// Where bytes come from: the next ones; empty: there are no more.
using Source = std::function<Result<std::string>()>;

}  // namespace rowlock
